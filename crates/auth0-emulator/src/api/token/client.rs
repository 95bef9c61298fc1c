//! Who asks for a token: an application with its secret, or with an assertion it has signed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use super::grant_error::GrantError;
use crate::body::BodyMembers;
use crate::state::Call;
use crate::token;

/// The kind of an assertion.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Checks that the tenant's application asks.
///
/// # Errors
///
/// When something else does, or it does not say so.
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
    // No secret at all is what a wrong one is: the tenant does not tell them apart.
    if id == call.tenant.client_id && secret.as_deref() == Some(&call.tenant.client_secret) {
        Ok(())
    } else {
        Err(GrantError::Client)
    }
}

/// The id and secret of an HTTP Basic header, form-decoded as OAuth 2.0 wants them.
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
