//! `/signup.js` and its types as they are served, compressed once at the first request, and the
//! password policy for the module.

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
use crate::domain::violation::CharacterType;

/// The module, as packages/web/build.js makes it.
static SOURCE: &str = include_str!("assets/signup.js");
/// Its types.
static TYPES: &str = include_str!("assets/signup.d.ts");

/// The length of a validator in bytes: 96 bits of the digest of the content.
const TAG_LENGTH: usize = 12;

/// A file that never changes while this process runs.
#[derive(Debug)]
pub struct Asset {
    /// The content.
    pub plain: Bytes,
    /// The content in gzip.
    pub gzip: Option<Bytes>,
    /// The validator of `plain`.
    pub etag: HeaderValue,
    /// The validator of `gzip`, whose bytes differ.
    pub gzip_etag: HeaderValue,
}

impl Asset {
    /// The module.
    pub fn module() -> Self {
        Self::new(SOURCE.into())
    }

    /// The types of the module.
    pub fn types() -> Self {
        Self::new(TYPES.into())
    }

    /// The passwords that the policy rejects as too common, one per line; empty if it rejects none.
    pub fn common_passwords(policy: &PasswordPolicy) -> Self {
        let words = policy.common_passwords().into_iter().flatten();
        Self::new(words.collect::<Vec<_>>().join("\n").into())
    }

    fn new(content: Bytes) -> Self {
        let digest = digest(&SHA256, &content);
        let tag = digest.as_ref().get(..TAG_LENGTH).unwrap_or_default();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
        let etag = |suffix: &str| {
            let value = HeaderValue::try_from(format!("\"{tag}{suffix}\""));
            // The alphabet is valid in a header.
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

/// The rules by which `/signup.js` checks a password while it is typed: on the page and in
/// `GET /signup/policy`.
pub fn password_checks(policy: &PasswordPolicy) -> Map<String, Value> {
    let types: Vec<_> = policy.character_types().iter().map(|kind| kind.name()).collect();
    let blocked = |blocks: bool| Value::from(if blocks { "block" } else { "allow" });
    let checks = [
        ("min_length", policy.min_length().into()),
        ("max_bytes", policy.max_bytes().into()),
        ("character_types", types.into()),
        ("rule", policy.character_type_rule().name().into()),
        ("identical_characters", blocked(policy.blocks_identical_characters())),
        ("sequential_characters", blocked(policy.blocks_sequential_characters())),
        ("dictionary", policy.common_passwords().is_some().into()),
    ];
    checks.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// The value of the attribute `passwordrules`, by which password managers generate a password that
/// meets the policy (Apple's "Password Rules Validation Tool" describes the syntax).
pub fn password_rules_attribute(policy: &PasswordPolicy) -> String {
    let required = policy.character_types().iter().map(|kind| match kind {
        CharacterType::Lowercase => "required: lower; ",
        CharacterType::Uppercase => "required: upper; ",
        CharacterType::Number => "required: digit; ",
        CharacterType::Special => "required: [-.!@#$%&*_+]; ",
    });
    let consecutive =
        if policy.blocks_identical_characters() { " max-consecutive: 2;" } else { "" };
    let length = format!("minlength: {};", policy.min_length());
    // Only ASCII, so that each character is one of the bytes that bcrypt reads.
    let longest = format!(" maxlength: {}; allowed: ascii-printable;", policy.max_bytes());
    required.chain([&*length, &longest, consecutive]).collect()
}

/// Compresses with gzip. Never `None` in practice: writing to a vector cannot fail.
fn compress(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Field;

    #[test]
    fn the_types_list_every_root_attribute() {
        for (field, _) in Field::attributes() {
            assert!(TYPES.contains(&format!("  {field}?: string;")), "{field}");
        }
    }

    #[test]
    fn the_module_takes_at_most_10_kilobytes_on_the_wire() {
        let size = Asset::module().gzip.unwrap().len();
        assert!(size <= 10 * 1024, "{size} bytes");
    }
}
