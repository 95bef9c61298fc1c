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

/// The module, as it is written.
static SOURCE: &str = include_str!("assets/signup.js");
/// Its types.
static TYPES: &str = include_str!("assets/signup.d.ts");

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
    /// The module, without its comments but the first, which says whose it is.
    pub fn module() -> Self {
        Self::new(without_comments(SOURCE).into())
    }

    /// The types of the module.
    pub fn types() -> Self {
        Self::new(TYPES.into())
    }

    fn new(content: Bytes) -> Self {
        let digest = digest(&SHA256, &content);
        let tag = digest.as_ref().get(..TAG).unwrap_or_default();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
        let etag = |suffix: &str| {
            let value = HeaderValue::try_from(format!("\"{tag}{suffix}\""));
            // The alphabet has nothing that a header may not hold.
            value.unwrap_or(HeaderValue::from_static("\"\""))
        };
        Self {
            gzip: compress(&content).map(Bytes::from),
            plain: content,
            etag: etag(""),
            gzip_etag: etag("-gzip"),
        }
    }
}

/// The source without the lines that hold nothing but a comment, save those at its head. No comment
/// of it shares its line with code that matters.
fn without_comments(source: &str) -> String {
    let (head, rest) = source.split_once("\n\n").unwrap_or(("", source));
    let mut inside = false;
    let code = rest.lines().filter(|line| {
        let line = line.trim();
        let begins = line.starts_with("/**");
        let is_comment = inside || begins || line.starts_with("//");
        inside = (inside || begins) && !line.ends_with("*/");
        !is_comment && !line.is_empty()
    });
    std::iter::once(head).chain(code).flat_map(|line| [line, "\n"]).collect()
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
        let size = Asset::module().gzip.unwrap().len();
        assert!(size <= 8 * 1024, "{size} bytes");
    }

    #[test]
    fn comments_stay_at_home_and_code_does_not() {
        let source = "// Whose it is.\n// More.\n\n/** One. */\nlet a = 1; /* kept */\n\n  /**\n   * Two.\n   \
                      */\n  // three\n  let b = \"https://x\";\n";
        let served = "// Whose it is.\n// More.\nlet a = 1; /* kept */\n  let b = \"https://x\";\n";
        assert_eq!(without_comments(source), served);
        let module = without_comments(SOURCE);
        assert!(module.contains("export async function signUp(") && !module.contains("/**"));
    }
}
