//! Formats a person's history for debugging: the clients' results, and the calls at the tenant.

use std::collections::HashSet;
use std::time::UNIX_EPOCH;

use auth0_emulator::{JournalEntry, Route};
use serde_json::Value;

use super::client::ClientHistory;
use super::fault_injector::FaultInjector;
use super::observed::Observation;
use super::people::Person;

/// Formats the person's history. `journal` is the tenant's.
pub(crate) fn format_history(
    person: &Person,
    histories: &[ClientHistory],
    journal: &[JournalEntry],
    injector: &FaultInjector,
) -> String {
    let mut lines = vec![format!("  person {}, {}", person.number, person.email)];
    for (number, ClientHistory { plan, observed, .. }) in (1..).zip(histories) {
        let key = if plan.key.is_some() { "with a key" } else { "without a key" };
        lines.push(format!("    client {number}, {:?}, {key}", plan.behavior));
        // Repeated failures to connect take one line.
        let runs = observed.chunk_by(|one, other| {
            one.observed.is_missing()
                && (one.replica, &one.observed) == (other.replica, &other.observed)
        });
        for run in runs {
            let Some(Observation { at, received_at, replica, observed, .. }) = run.first() else {
                continue;
            };
            let received_at = received_at.as_millis();
            let at = at.as_millis();
            let times =
                if run.len() > 1 { format!(", {} times", run.len()) } else { String::new() };
            lines.push(format!(
                "      {received_at} {at:>6} ms, replica {replica}: {observed}{times}"
            ));
        }
    }
    let mut calls: Vec<(&JournalEntry, String)> = Vec::new();
    for call in journal.iter().filter(|call| call.route() == Route::CreateUser) {
        let body = call.json();
        let member = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if member("email") == person.email {
            calls.push((call, member("user_id").to_owned()));
        }
    }
    let ids: HashSet<String> = calls.iter().map(|(_, id)| id.clone()).collect();
    for call in journal.iter().filter(|call| call.route() == Route::GetUser) {
        let id = call.path.rsplit("%7C").next().unwrap_or_default();
        calls.extend(ids.get(id).map(|id| (call, id.clone())));
    }
    calls.sort_by_key(|(call, _)| call.at);
    for (call, id) in calls {
        let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let status = call.status.map_or_else(|| "no response".to_owned(), |code| code.to_string());
        let fault = injector.fault_for(call).unwrap_or("no fault");
        lines.push(format!("    {at} {:?} {id}: {status}, {fault}", call.route()));
    }
    lines.join("\n")
}
