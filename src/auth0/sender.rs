//! The one judge of whether a response is Auth0's own.
//!
//! A website under a wrong `auth0.domain`, a firewall or a proxy may send any status. What such a
//! response says about credentials, scopes or waits is not believed.

use serde::Deserialize;

use super::error::{Api, ErrorCode};
use super::rate_headers::RateHeaders;
use super::response::ApiResponse;

/// Returns whether an error response is certainly Auth0's own, by its rate limit headers or its body.
pub(super) fn is_from_auth0(api: Api, response: &ApiResponse) -> bool {
    let (status, body) = (response.status, response.body());
    RateHeaders::new(&response.headers).bucket().is_some()
        || match api {
            Api::Management => is_envelope(status, body),
            // Many web frameworks send the envelope for a path that they do not know. The limiter in
            // front of both parts of a tenant sends it too.
            Api::Token => is_token_error(body) || (status == 429 && is_envelope(status, body)),
        }
}

/// Returns whether a body is the Management API's error envelope of this status.
fn is_envelope(status: u16, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct ErrorEnvelope {
        #[serde(rename = "statusCode")]
        status_code: u16,
        error: String,
        message: String,
    }
    let envelope = serde_json::from_slice::<ErrorEnvelope>(body);
    envelope.is_ok_and(|envelope| {
        envelope.status_code == status && !envelope.error.is_empty() && !envelope.message.is_empty()
    })
}

/// Returns whether a body is an error of the token endpoint (RFC 6749, section 5.2).
fn is_token_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OAuthError {
        error: String,
    }
    serde_json::from_slice::<OAuthError>(body)
        .is_ok_and(|body| ErrorCode::looks_like_a_code(&body.error))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_the_shapes_of_the_called_part_are_auth0s() {
        let envelope = r#"{"statusCode":404,"error":"Not Found","message":"Not Found"}"#;
        let limited = r#"{"statusCode":429,"error":"Too Many Requests","message":"Global …"}"#;
        let oauth = r#"{"error":"access_denied","error_description":"Unauthorized"}"#;
        for (status, body, management, token) in [
            (404, envelope, true, false),
            (403, envelope, false, false),
            (429, limited, true, true),
            (401, oauth, false, true),
            (401, r#"{"error":"Unauthorized"}"#, false, false),
            (404, "<html>", false, false),
            (405, "", false, false),
        ] {
            let response = ApiResponse::new(status, HeaderMap::new(), body);
            let judged = [Api::Management, Api::Token].map(|api| is_from_auth0(api, &response));
            assert_eq!(judged, [management, token], "{status} {body}");
        }
    }
}
