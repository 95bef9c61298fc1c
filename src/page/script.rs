//! `/signup.js` and its types, as they are served: the sources, and compressed once at start; and what
//! the module is told of passwords.

use std::io::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use serde_json::{Map, Value};

use crate::domain::PasswordPolicy;

/// The module. Short enough to be served as it is written, comments and all.
pub static MODULE: &str = include_str!("assets/signup.js");
/// Its types.
pub static TYPES: &str = include_str!("assets/signup.d.ts");

/// The bytes of the validator that are kept: 96 bits of the content's digest.
const TAG: usize = 12;

/// A file that never changes while this process runs.
#[derive(Debug)]
pub struct Asset {
    /// The file.
    pub plain: Bytes,
    /// The same in gzip, where that is what it was made to be.
    pub gzip: Option<Bytes>,
    /// The validator of the file.
    pub etag: HeaderValue,
    /// The validator of the compressed one, which has other bytes.
    pub gzip_etag: HeaderValue,
}

impl Asset {
    /// Prepares a file.
    pub fn new(content: &'static str) -> Self {
        let digest = digest(&SHA256, content.as_bytes());
        let tag = digest.as_ref().get(..TAG).unwrap_or_default();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
        let etag = |suffix: &str| {
            let value = HeaderValue::try_from(format!("\"{tag}{suffix}\""));
            // The alphabet has nothing that a header may not hold.
            value.unwrap_or(HeaderValue::from_static("\"\""))
        };
        Self {
            plain: Bytes::from_static(content.as_bytes()),
            gzip: compress(content.as_bytes()).map(Bytes::from),
            etag: etag(""),
            gzip_etag: etag("-gzip"),
        }
    }
}

/// What `/signup.js` judges a password by, while it is typed: here and in `GET /signup/policy`.
pub fn judged(policy: &PasswordPolicy) -> Map<String, Value> {
    let types: Vec<_> = policy.character_types().iter().map(|kind| kind.name()).collect();
    let blocked = |blocks: bool| Value::from(if blocks { "block" } else { "allow" });
    let told = [
        ("min_length", policy.min_length().into()),
        ("max_bytes", policy.max_bytes().into()),
        ("character_types", types.into()),
        ("rule", policy.character_type_rule().name().into()),
        ("identical_characters", blocked(policy.blocks_identical_characters())),
        ("sequential_characters", blocked(policy.blocks_sequential_characters())),
    ];
    told.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// `None` never in practice: a vector takes what is written into it.
fn compress(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_takes_at_most_8_kilobytes_on_the_wire() {
        let size = Asset::new(MODULE).gzip.unwrap().len();
        assert!(size <= 8 * 1024, "{size} bytes");
    }
}
