//! `private_key_jwt`: validation of an application's assertion.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::jwt::ParsedJwt;
use crate::state::Call;

/// The maximum time until an assertion expires, in seconds.
const MAX_LIFETIME_S: i64 = 300;
/// The tolerated clock difference, in seconds.
const CLOCK_SKEW_S: i64 = 10;
/// The maximum number of keys an application may register.
const MAX_KEYS: usize = 2;

/// Checks the assertion of a token request.
///
/// # Errors
///
/// Returns a description of the first problem found.
pub(crate) fn check(call: &Call<'_>, assertion: &str) -> Result<(), &'static str> {
    let jwt = ParsedJwt::parse(assertion).ok_or("client_assertion is not a JWT")?;
    let client = Some(call.tenant.client_id.as_str());
    if jwt.text("iss") != client || jwt.text("sub") != client {
        return Err("client_assertion iss and sub must be the client_id");
    }
    let algorithm: &'static dyn VerificationAlgorithm =
        match jwt.header.get("alg").and_then(|alg| alg.as_str()) {
            Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
            Some("RS384") => &RSA_PKCS1_2048_8192_SHA384,
            Some("PS256") => &RSA_PSS_2048_8192_SHA256,
            _ => return Err("client_assertion algorithm is not supported"),
        };
    let verifies = |pem: &String| {
        der(pem).is_some_and(|key| {
            UnparsedPublicKey::new(algorithm, key).verify(jwt.signed, &jwt.signature).is_ok()
        })
    };
    if !call.tenant.public_keys.iter().take(MAX_KEYS).any(verifies) {
        return Err("client_assertion signature verification failed");
    }
    if jwt.text("aud") != Some(&format!("{}/", call.base)) {
        return Err("client_assertion audience is invalid");
    }
    let now = call.state.clock.unix_seconds();
    let expires = jwt.number("exp").ok_or("client_assertion has no exp")?;
    if expires <= now - CLOCK_SKEW_S || expires > now + MAX_LIFETIME_S + CLOCK_SKEW_S {
        return Err("client_assertion expires too early or too late");
    }
    if ["iat", "nbf"]
        .iter()
        .any(|claim| jwt.number(claim).is_some_and(|at| at > now + CLOCK_SKEW_S))
    {
        return Err("client_assertion is not valid yet");
    }
    let id = jwt.text("jti").ok_or("client_assertion has no jti")?;
    if call.state.assertions.with(|used| used.insert(id.to_owned())) {
        Ok(())
    } else {
        Err("client_assertion was used before")
    }
}

/// The DER bytes of a public key in PEM.
fn der(pem: &str) -> Option<Vec<u8>> {
    let lines = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    BASE64_STANDARD.decode(lines.collect::<String>()).ok()
}
