//! A file as it is served: its bytes, those in gzip, and the validators by which clients keep it.

use std::io::Write as _;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;

use crate::domain::PasswordPolicy;

/// The length of a validator in bytes: 96 bits of the digest of the content.
const TAG_LENGTH: usize = 12;

/// A file that never changes while this process runs.
#[derive(Debug)]
pub struct Asset {
    /// The content.
    pub plain: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    /// The validator of `plain`.
    pub etag: HeaderValue,
    /// The validator of [`Self::gzip`], whose bytes differ.
    pub gzip_etag: HeaderValue,
}

impl Asset {
    /// The passwords that the policy rejects as too common, one per line; empty if it rejects none.
    pub fn common_passwords(policy: &PasswordPolicy) -> Self {
        let words = policy.common_passwords().into_iter().flatten();
        Self::new(words.collect::<Vec<_>>().join("\n").into())
    }

    /// A file with this content.
    pub fn new(content: Bytes) -> Self {
        let digest = digest(&SHA256, &content);
        let tag = digest.as_ref().get(..TAG_LENGTH).unwrap_or_default();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
        let etag = |suffix: &str| {
            let value = HeaderValue::try_from(format!("\"{tag}{suffix}\""));
            // The alphabet is valid in a header.
            value.unwrap_or(HeaderValue::from_static("\"\""))
        };
        Self { gzip: OnceLock::new(), plain: content, etag: etag(""), gzip_etag: etag("-gzip") }
    }

    /// The content in gzip. The first call compresses it, which takes milliseconds and would delay the
    /// start.
    pub fn gzip(&self) -> Option<&Bytes> {
        self.gzip.get_or_init(|| compress(&self.plain).map(Bytes::from)).as_ref()
    }
}

/// Compresses with gzip. Never `None` in practice: writing to a vector cannot fail.
fn compress(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}
