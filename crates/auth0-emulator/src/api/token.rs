//! `POST /oauth/token`: the client credentials grant.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::body::{Body, Members};
use crate::token;
use crate::world::Call;

/// The one grant the emulator can give.
const GRANT: &str = "client_credentials";
/// The kind of an assertion.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The header that tells how much of a token quota is left.
const QUOTA: HeaderName = HeaderName::from_static("auth0-client-quota-limit");

/// Answers a token request.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let now = call.world.clock.unix_seconds_f64();
    let verdict = call.world.buckets.take(call.tenant.plan, call.entry.route(), now);
    let mut answer = if verdict.allowed {
        grant(call).unwrap_or_else(|refusal| refusal)
    } else {
        refused_for_rate("Global limit has been reached")
    };
    if call.tenant.rate_limit_headers {
        verdict.put(&mut answer.headers);
    }
    answer.no_store()
}

/// A refusal with status 429.
fn refused_for_rate(description: &str) -> Answer {
    Answer::oauth_error(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", description)
}

/// A refusal with status 400.
fn invalid(description: &str) -> Answer {
    Answer::oauth_error(StatusCode::BAD_REQUEST, "invalid_request", description)
}

/// The answer of a request that the rate limit lets through; a refusal is the error.
fn grant(call: &Call<'_>) -> Result<Answer, Answer> {
    let members = Body::read(call.entry).map(Body::into_members).unwrap_or_default();
    let missing = |name: &str| invalid(&format!("Missing required parameter: {name}"));
    let grant_type = members.text("grant_type").ok_or_else(|| missing("grant_type"))?;
    let basic = basic_credentials(call);
    authenticate(call, &members, basic)?;
    if grant_type != GRANT || !call.tenant.grant_types.iter().any(|own| own == GRANT) {
        return Err(Answer::oauth_error(
            StatusCode::FORBIDDEN,
            "unauthorized_client",
            &format!("Grant type '{grant_type}' not allowed for the client."),
        ));
    }
    let forbidden = |text: &str| Answer::oauth_error(StatusCode::FORBIDDEN, "access_denied", text);
    let audience = members.text("audience").filter(|text| !text.is_empty()).ok_or_else(|| {
        forbidden("No audience parameter was provided, and no default audience has been configured")
    })?;
    if !call.is_management_audience(audience) {
        return Err(forbidden(&format!("Service not enabled within domain: {audience}")));
    }
    if !call.tenant.authorized {
        return Err(forbidden(&format!(
            "Client is not authorized to access \"{audience}\". You need to create a \
             \"client-grant\" associated to this API. See: \
             https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
        )));
    }
    let mut quota_header = None;
    if let Some(quota) = call.tenant.token_quota {
        let draw = call.world.quota.draw(quota, call.world.clock.unix_seconds());
        let header = HeaderValue::try_from(draw.header).ok();
        if let Some(seconds) = draw.refused_for {
            let mut refusal = refused_for_rate("Client quota exceeded")
                .with(RETRY_AFTER, HeaderValue::from(seconds));
            refusal.headers.extend(header.map(|value| (QUOTA, value)));
            return Err(refusal);
        }
        quota_header = header;
    }
    let mut answer = issue(call, audience);
    answer.headers.extend(quota_header.map(|value| (QUOTA, value)));
    Ok(answer)
}

/// A token for `audience`.
fn issue(call: &Call<'_>, audience: &str) -> Answer {
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
    match token::sign(&token::key_id(call.world.generation()), &claims) {
        Some(access_token) => Answer::json(
            StatusCode::OK,
            &json!({
                "access_token": access_token,
                "scope": scope,
                "expires_in": tenant.token_lifetime_s,
                "token_type": "Bearer",
            }),
        ),
        None => Answer::oauth_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "the emulator has no signing key",
        ),
    }
}

/// The id and secret of an HTTP Basic header, form-decoded as OAuth 2.0 wants them.
fn basic_credentials(call: &Call<'_>) -> Option<(String, String)> {
    let header = call.entry.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    Some((decoded(id), decoded(secret)))
}

/// Checks who asks, by secret or by assertion.
fn authenticate(
    call: &Call<'_>,
    members: &Members,
    basic: Option<(String, String)>,
) -> Result<(), Answer> {
    let tenant = &call.tenant;
    let missing = |name: &str| invalid(&format!("Missing required parameter: {name}"));
    let denied = || Answer::oauth_error(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
    if let Some(assertion) = members.text("client_assertion") {
        if members.text("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(missing("client_assertion_type"));
        }
        return token::check_assertion(call, assertion)
            .map_err(|why| Answer::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", why));
    }
    let text = |name: &str| members.text(name).map(str::to_owned);
    let (id, secret) = match basic {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (text("client_id"), text("client_secret")),
    };
    let id = id.ok_or_else(|| missing("client_id"))?;
    // No secret at all is what a wrong one is: the tenant does not tell them apart.
    if id == tenant.client_id && secret.as_deref() == Some(&tenant.client_secret) {
        Ok(())
    } else {
        Err(denied())
    }
}
