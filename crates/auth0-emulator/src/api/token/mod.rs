//! `POST /oauth/token`: the client credentials grant.

mod client;
mod refusal;

use http::StatusCode;
use serde_json::json;

use self::refusal::{Refusal, with_quota};
use crate::answer::Answer;
use crate::body::Body;
use crate::token;
use crate::world::Call;

/// The one grant the emulator can give.
const GRANT: &str = "client_credentials";

/// Answers a token request.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let verdict = call.permit();
    let given = if verdict.allowed { grant(call) } else { Err(Refusal::Rate) };
    let answer = given.unwrap_or_else(|refusal| refusal.answer());
    call.counted(answer, verdict).no_store()
}

/// The answer of a request that the rate limit lets through.
fn grant(call: &Call<'_>) -> Result<Answer, Refusal> {
    let members = Body::read(call.entry).map(Body::into_members).unwrap_or_default();
    let grant_type = members.text("grant_type").ok_or(Refusal::Missing("grant_type"))?;
    client::authenticate(call, &members)?;
    if grant_type != GRANT || !call.tenant.grant_types.iter().any(|own| own == GRANT) {
        return Err(Refusal::GrantType(grant_type.to_owned()));
    }
    let audience = members
        .text("audience")
        .filter(|audience| !audience.is_empty())
        .ok_or(Refusal::NoAudience)?;
    if !call.is_management_audience(audience) {
        return Err(Refusal::Audience(audience.to_owned()));
    }
    if !call.tenant.authorized {
        return Err(Refusal::NotAuthorized(audience.to_owned()));
    }
    let Some(quota) = call.tenant.token_quota else {
        return issue(call, audience);
    };
    let draw = call.world.quota.draw(quota, call.world.clock.unix_seconds());
    match draw.refused_for {
        Some(seconds) => Err(Refusal::Quota(draw, seconds)),
        None => Ok(with_quota(issue(call, audience)?, &draw)),
    }
}

/// A token for `audience`.
fn issue(call: &Call<'_>, audience: &str) -> Result<Answer, Refusal> {
    let tenant = &call.tenant;
    let now = call.world.clock.unix_seconds();
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
    let key_id = token::key_id(call.world.generation());
    let access_token = token::sign(&key_id, &claims).ok_or(Refusal::NoKey)?;
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "access_token": access_token,
            "scope": scope,
            "expires_in": tenant.token_lifetime_s,
            "token_type": "Bearer",
        }),
    ))
}
