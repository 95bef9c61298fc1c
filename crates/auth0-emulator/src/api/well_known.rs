//! The tenant's published metadata.

use http::StatusCode;
use serde_json::json;

use crate::response::TenantResponse;
use crate::state::Call;
use crate::token;

/// `GET /.well-known/jwks.json`
pub(super) fn keys(call: &Call<'_>) -> TenantResponse {
    TenantResponse::json(StatusCode::OK, &token::published(call.state.generation()))
}

/// `GET /.well-known/openid-configuration`
pub(super) fn discovery(call: &Call<'_>) -> TenantResponse {
    let base = call.base;
    let document = json!({
        "issuer": format!("{base}/"),
        "authorization_endpoint": format!("{base}/authorize"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "token_endpoint": format!("{base}/oauth/token"),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "PS256"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    TenantResponse::json(StatusCode::OK, &document)
}
