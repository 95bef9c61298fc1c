//! `GET /api/v2/custom-domains`

use http::StatusCode;
use serde_json::{Value, json};

use crate::response::TenantResponse;
use crate::state::Call;

/// Lists the verified custom domains.
pub(super) fn list(call: &Call<'_>) -> TenantResponse {
    let default = call.tenant.default_custom_domain.as_deref();
    let domains = call.tenant.custom_domains.iter().enumerate();
    let domains: Vec<Value> = domains
        .map(|(index, domain)| {
            json!({
                "custom_domain_id": format!("cd_{:016}", index + 1),
                "domain": domain,
                "primary": false,
                "is_default": default == Some(domain),
                "status": "ready",
                "type": "auth0_managed_certs",
            })
        })
        .collect();
    TenantResponse::json(StatusCode::OK, &domains)
}
