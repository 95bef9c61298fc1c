//! The authorization code grant: a code from the login page becomes an id token.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::client;
use super::grant_error::GrantError;
use crate::body::BodyMembers;
use crate::logins::AuthorizationRequest;
use crate::response::TenantResponse;
use crate::state::Call;
use crate::token;

/// The name of this grant type.
pub(super) const GRANT: &str = "authorization_code";

/// The lifetime of an id token in seconds, Auth0's default.
const ID_TOKEN_LIFETIME_S: i64 = 36_000;

/// The claims of a user's profile that an id token repeats.
const PROFILE: [&str; 7] =
    ["email", "email_verified", "name", "given_name", "family_name", "nickname", "picture"];

/// Exchanges a code. A public application proves by PKCE that it started the login.
pub(super) fn exchange(
    call: &Call<'_>,
    members: &BodyMembers,
) -> Result<TenantResponse, GrantError> {
    let text = |name: &'static str| members.text(name).ok_or(GrantError::Missing(name));
    let client_id = members.text("client_id");
    if client_id != Some(&call.tenant.login_client_id) {
        client::authenticate(call, members)?;
    }
    let client_id = client_id.unwrap_or(&call.tenant.client_id);
    let code = text("code")?;
    let (request, user_id) = call
        .state
        .logins
        .with(|logins| logins.redeem(code))
        .filter(|(request, _)| request.client_id == client_id)
        .ok_or(GrantError::Code("Invalid authorization code"))?;
    if text("redirect_uri")? != request.redirect_uri {
        return Err(GrantError::Code("The redirect URI is wrong."));
    }
    if let Some(challenge) = &request.code_challenge {
        let hash = digest(&SHA256, text("code_verifier")?.as_bytes());
        if BASE64_URL_SAFE_NO_PAD.encode(hash) != *challenge {
            return Err(GrantError::Code("Failed to verify code verifier"));
        }
    }
    let claims = claims(call, &request, &user_id);
    let id_token =
        token::sign(&token::key_id(call.state.generation()), &claims).ok_or(GrantError::NoKey)?;
    // Without an audience the access token is opaque: it opens only /userinfo.
    let access_token = call.state.ids.next_id(call.state.clock.unix_seconds());
    Ok(TenantResponse::json(
        StatusCode::OK,
        &json!({
            "access_token": access_token,
            "id_token": id_token,
            "scope": request.scope,
            "expires_in": call.tenant.token_lifetime_s,
            "token_type": "Bearer",
        }),
    ))
}

/// The claims of an id token.
fn claims(call: &Call<'_>, request: &AuthorizationRequest, user_id: &str) -> Value {
    let now = call.state.clock.unix_seconds();
    let user = call.state.users.with(|users| {
        users.get(user_id).and_then(|stored| serde_json::to_value(&stored.user).ok())
    });
    let profile = PROFILE.iter().filter_map(|name| {
        let value = user.as_ref()?.get(name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    let mut claims: Map<String, Value> = profile.collect();
    let own = [
        ("iss", json!(format!("{}/", call.base))),
        ("sub", json!(user_id)),
        ("aud", json!(request.client_id)),
        ("iat", json!(now)),
        ("exp", json!(now + ID_TOKEN_LIFETIME_S)),
        ("sid", json!(call.state.ids.next_id(now))),
    ];
    claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
    claims.extend(request.nonce.iter().map(|nonce| ("nonce".to_owned(), json!(nonce))));
    claims.into()
}
