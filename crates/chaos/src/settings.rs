//! The service's whole environment, except the port, the secrets and the clock.

use std::time::Duration;

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

use super::fault_catalog;

/// The settings of every service. `tenant` and `database` are URLs.
pub(crate) fn service_settings(tenant: &str, database: &str) -> Vec<(String, String)> {
    let millis = |time: Duration| time.as_millis().to_string();
    let variables = [
        ("AUTH0_DOMAIN", tenant.to_owned()),
        ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID.to_owned()),
        ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET.to_owned()),
        ("DATABASE_URL", database.to_owned()),
        ("SIGNUP__ADMIN__PORT", "0".to_owned()),
        ("SIGNUP__AUTH0__TIMEOUT_MS", millis(fault_catalog::TIMEOUT)),
        ("SIGNUP__AUTH0__CONNECT_TIMEOUT_MS", millis(fault_catalog::TIMEOUT / 2)),
        ("SIGNUP__IDEMPOTENCY__WAIT_MS", millis(fault_catalog::TIMEOUT * 3)),
        ("SIGNUP__RECONCILIATION__NOT_CREATED_AFTER_MS", millis(fault_catalog::NOT_CREATED_AFTER)),
        ("SIGNUP__LOG__FORMAT", "json".to_owned()),
        ("SIGNUP__LOG__LEVEL", "warn".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}
