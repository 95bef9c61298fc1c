//! The tenant's signing key. It is generated for the first token and shared by every emulator in
//! the process, because generating one takes longer than most tests.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The process's key; `None` if it could not be generated.
static KEY: OnceLock<Option<RsaKeyPair>> = OnceLock::new();

/// The process's key.
fn key() -> Option<&'static RsaKeyPair> {
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).ok()).as_ref()
}

/// The key id for tokens of a generation. The key never changes: a new id is enough to invalidate
/// older tokens.
pub(crate) fn key_id(generation: u64) -> String {
    format!("emulator-{generation}")
}

/// The RS256 signature of `message`.
pub(super) fn signature(message: &[u8]) -> Option<Vec<u8>> {
    let key = key()?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

/// Returns whether `signature` is this process's signature of `message`.
pub(super) fn verifies(message: &[u8], signature: &[u8]) -> bool {
    key().is_some_and(|key| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
            .verify(message, signature)
            .is_ok()
    })
}

/// The published key set.
pub(crate) fn published(generation: u64) -> Value {
    let keys: Vec<Value> = key()
        .into_iter()
        .map(|key| {
            let public = key.public_key();
            let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            json!({
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": key_id(generation),
                "n": encode(public.modulus().big_endian_without_leading_zero()),
                "e": encode(public.exponent().big_endian_without_leading_zero()),
            })
        })
        .collect();
    json!({ "keys": keys })
}
