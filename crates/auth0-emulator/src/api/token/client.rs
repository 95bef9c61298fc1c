//! Client authentication of a token request: by a secret, or by a signed assertion.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use super::grant_error::GrantError;
use crate::body::BodyMembers;
use crate::state::Call;
use crate::token;

/// The `client_assertion_type` of a JWT.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Checks that the request comes from the tenant's application.
///
/// # Errors
///
/// Returns an error if the credentials are missing or wrong.
pub(super) fn authenticate(call: &Call<'_>, members: &BodyMembers) -> Result<(), GrantError> {
    if let Some(assertion) = members.text("client_assertion") {
        if members.text("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(GrantError::Missing("client_assertion_type"));
        }
        return token::check_assertion(call, assertion).map_err(GrantError::Assertion);
    }
    let text = |name: &str| members.text(name).map(str::to_owned);
    let (id, secret) = match basic(call) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (text("client_id"), text("client_secret")),
    };
    let id = id.ok_or(GrantError::Missing("client_id"))?;
    // A missing secret is treated like a wrong one, as in the tenant.
    if id == call.tenant.client_id && secret.as_deref() == Some(&call.tenant.client_secret) {
        Ok(())
    } else {
        Err(GrantError::Client)
    }
}

/// The id and secret of an HTTP Basic header, form-decoded as OAuth 2.0 requires.
fn basic(call: &Call<'_>) -> Option<(String, String)> {
    let (scheme, encoded) = call.entry.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    Some((decoded(id), decoded(secret)))
}
