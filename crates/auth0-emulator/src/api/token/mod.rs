//! `POST /oauth/token`: the client credentials grant, and the authorization code grant of a login.

mod client;
mod code;
mod grant_error;

use http::StatusCode;
use serde_json::json;

use self::grant_error::{GrantError, with_quota};
use crate::body::ParsedBody;
use crate::response::TenantResponse;
use crate::state::Call;
use crate::token;

/// The grant type of programs.
const GRANT: &str = "client_credentials";

/// Responds to a token request.
pub(super) fn respond(call: &Call<'_>) -> TenantResponse {
    let is_over_limit = call.rate_rejection().is_some();
    let granted = if is_over_limit { Err(GrantError::Rate) } else { grant(call) };
    let response = granted.unwrap_or_else(|error| error.response());
    call.with_rate_headers(response).no_store()
}

/// Checks and issues a token once the rate limit has let the call through.
fn grant(call: &Call<'_>) -> Result<TenantResponse, GrantError> {
    let members = ParsedBody::parse(call.entry).map(ParsedBody::into_members).unwrap_or_default();
    let grant_type = members.text("grant_type").ok_or(GrantError::Missing("grant_type"))?;
    if grant_type == code::GRANT {
        return code::exchange(call, &members);
    }
    client::authenticate(call, &members)?;
    if grant_type != GRANT || !call.tenant.grant_types.iter().any(|own| own == GRANT) {
        return Err(GrantError::GrantType(grant_type.to_owned()));
    }
    let audience = members
        .text("audience")
        .filter(|audience| !audience.is_empty())
        .ok_or(GrantError::NoAudience)?;
    if !call.is_management_audience(audience) {
        return Err(GrantError::Audience(audience.to_owned()));
    }
    if !call.tenant.authorized {
        return Err(GrantError::NotAuthorized(audience.to_owned()));
    }
    let Some(quota) = call.tenant.token_quota else {
        return issue(call, audience);
    };
    let draw = call.state.quota.draw(quota, call.state.clock.unix_seconds());
    match draw.retry_after_s {
        Some(seconds) => Err(GrantError::Quota(draw, seconds)),
        None => Ok(with_quota(issue(call, audience)?, &draw)),
    }
}

/// Issues a token for `audience`.
fn issue(call: &Call<'_>, audience: &str) -> Result<TenantResponse, GrantError> {
    let tenant = &call.tenant;
    let now = call.state.clock.unix_seconds();
    let scope = tenant.scopes.join(" ");
    let claims = json!({
        "iss": format!("{}/", call.base),
        "sub": format!("{}@clients", tenant.client_id),
        "aud": audience,
        "iat": now,
        "exp": now + i64::from(tenant.token_lifetime_s),
        "scope": scope,
        "gty": "client-credentials",
        "azp": tenant.client_id,
    });
    let key_id = token::key_id(call.state.generation());
    let access_token = token::sign(&key_id, &claims).ok_or(GrantError::NoKey)?;
    Ok(TenantResponse::json(
        StatusCode::OK,
        &json!({
            "access_token": access_token,
            "scope": scope,
            "expires_in": tenant.token_lifetime_s,
            "token_type": "Bearer",
        }),
    ))
}
