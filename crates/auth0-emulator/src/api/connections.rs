//! `GET /api/v2/connections`

use http::StatusCode;
use serde_json::{Value, json};

use crate::response::TenantResponse;
use crate::state::Call;
use crate::tenant::Tenant;

/// Lists the one connection, unless the query filters it out.
pub(super) fn list(call: &Call<'_>) -> TenantResponse {
    let asks_for = |name: &str, own: &str| {
        call.entry.query_value(name).is_none_or(|value| value.split(',').any(|one| one == own))
    };
    let wanted =
        asks_for("name", &call.tenant.connection) && asks_for("strategy", &call.tenant.strategy);
    let found: Vec<Value> = if wanted { vec![described(&call.tenant)] } else { Vec::new() };
    TenantResponse::json(StatusCode::OK, &found)
}

/// The connection in the API's format.
fn described(tenant: &Tenant) -> Value {
    let mut options = json!({
        "passwordPolicy": tenant.policy.name(),
        "requires_username": tenant.requires_username,
        "disable_signup": !tenant.public_signup,
        "brute_force_protection": true,
        "validation": {
            "username": { "min": tenant.username_min, "max": tenant.username_max },
        },
        "password_dictionary": {
            "enable": tenant.dictionary.active,
            "dictionary": tenant.dictionary.custom,
        },
        "password_no_personal_info": { "enable": tenant.no_personal_info },
    });
    if let Some(members) = options.as_object_mut() {
        if let Some(length) = tenant.min_length {
            let value = json!({ "min_length": length });
            members.insert("password_complexity_options".to_owned(), value);
        }
        if tenant.ignores_user_id {
            members.insert("enabledDatabaseCustomization".to_owned(), Value::Bool(true));
        }
        if let Some(attributes) = &tenant.attributes {
            members.insert("attributes".to_owned(), attributes.clone());
        }
        if let Some(options) = &tenant.password_options {
            members.insert("password_options".to_owned(), json!(options));
        }
    }
    let enabled: Vec<&str> =
        tenant.connection_enabled.then_some(tenant.client_id.as_str()).into_iter().collect();
    json!({
        "id": "con_0000000000000001",
        "name": tenant.connection,
        "strategy": tenant.strategy,
        "options": options,
        "is_domain_connection": false,
        "realms": [tenant.connection],
        "enabled_clients": enabled,
    })
}
