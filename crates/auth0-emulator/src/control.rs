//! `/_emulator/…`: the emulator's control API, for tests in other languages. Its calls are not
//! recorded in the journal and no fault applies to them.

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fault::FaultScript;
use crate::journal::JournalEntry;
use crate::response::TenantResponse;
use crate::state::EmulatorState;

/// Path prefix of the control API.
pub(crate) const PREFIX: &str = "/_emulator/";

/// The body of `POST /_emulator/secret`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretChange {
    /// The new client secret.
    client_secret: String,
}

/// The body of `POST /_emulator/clock`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockShift {
    /// Milliseconds to move the clock forward, or back if negative.
    advance_ms: i64,
}

/// Handles a control request. `path` is the part after the prefix.
pub(crate) fn respond(state: &EmulatorState, path: &str, entry: &JournalEntry) -> TenantResponse {
    let no_content = || TenantResponse::empty(StatusCode::NO_CONTENT);
    let ok_json = |value: Value| TenantResponse::json(StatusCode::OK, &value);
    match (entry.method.as_str(), path) {
        ("GET", "journal") => {
            let entries = state.journal.entries(|_| true);
            ok_json(entries.iter().map(JournalEntry::to_json).collect())
        }
        ("DELETE", "journal") => {
            state.journal.clear();
            no_content()
        }
        ("GET", "users") => {
            TenantResponse::json(StatusCode::OK, &state.users.with(|users| users.profiles()))
        }
        ("POST", "users") => with_body(entry, |user: Value| {
            state.users.with(|users| users.insert_elsewhere(user)).map(|()| no_content())
        }),
        ("POST", "faults") => with_body(entry, |script: FaultScript| {
            let (route, fault) = script.into_fault();
            state.faults.add(route, fault);
            Ok(ok_json(json!({ "waiting": state.faults.len() })))
        }),
        ("DELETE", "faults") => {
            state.faults.clear();
            no_content()
        }
        ("POST", "revoke-tokens") => {
            state.revoke_tokens();
            no_content()
        }
        ("POST", "secret") => with_body(entry, |body: SecretChange| {
            state.change(|tenant| tenant.client_secret = body.client_secret);
            Ok(no_content())
        }),
        ("POST", "clock") => with_body(entry, |body: ClockShift| {
            state.clock.shift_ms(body.advance_ms);
            Ok(ok_json(json!({ "now": state.clock.timestamp() })))
        }),
        ("GET", "tenant") => TenantResponse::json(StatusCode::OK, &*state.tenant()),
        ("PUT", "tenant") => with_body(entry, |changes: Value| {
            state.change(|tenant| {
                *tenant = tenant.patched(changes)?;
                Ok(TenantResponse::json(StatusCode::OK, &*tenant))
            })
        }),
        ("POST", "reset") => {
            state.reset();
            no_content()
        }
        _ => TenantResponse::error(StatusCode::NOT_FOUND, "unknown control operation", None),
    }
}

/// Parses the body as JSON and passes it to `operation`. Any error is a 400 with the reason.
fn with_body<T: DeserializeOwned>(
    entry: &JournalEntry,
    operation: impl FnOnce(T) -> Result<TenantResponse, String>,
) -> TenantResponse {
    serde_json::from_slice(&entry.body)
        .map_err(|error| error.to_string())
        .and_then(operation)
        .unwrap_or_else(|why| TenantResponse::error(StatusCode::BAD_REQUEST, why, None))
}
