//! What befell a person, for whoever looks for the cause: answers, and calls at the tenant.

use std::collections::HashSet;
use std::time::UNIX_EPOCH;

use auth0_emulator::{Entry, Route};
use serde_json::Value;

use super::client::Story;
use super::crowd::Person;
use super::faults::Dealer;

/// The person's history. `journal` is the tenant's.
pub(crate) fn history(
    person: &Person,
    stories: &[Story],
    journal: &[Entry],
    dealer: &Dealer,
) -> String {
    let mut lines = vec![format!("  person {}, {}", person.number, person.email)];
    for (number, Story { plan, heard, killed }) in (1..).zip(stories) {
        let key = if plan.key.is_some() { "with a key" } else { "without a key" };
        let during = if *killed { ", during a kill" } else { "" };
        lines.push(format!("    client {number}, {:?}, {key}{during}", plan.manner));
        let heard = heard.iter();
        lines.extend(heard.map(|(at, heard)| format!("      {:>6} ms {heard}", at.as_millis())));
    }
    let creates = journal.iter().filter(|call| call.route() == Route::CreateUser);
    let mut ids = HashSet::new();
    let mut calls = Vec::new();
    for call in creates {
        let body = call.json();
        let member = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if member("email") == person.email {
            ids.insert(member("user_id").to_owned());
            calls.push((call, member("user_id").to_owned()));
        }
    }
    for call in journal.iter().filter(|call| call.route() == Route::GetUser) {
        let id = call.path.rsplit("%7C").next().unwrap_or_default();
        if ids.contains(id) {
            calls.push((call, id.to_owned()));
        }
    }
    calls.sort_by_key(|(call, _)| call.at);
    for (call, id) in calls {
        let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let status = call.status.map_or_else(|| "no answer".to_owned(), |code| code.to_string());
        let fault = dealer.of(call).unwrap_or("no fault");
        lines.push(format!("    {at} {:?} {id}: {status}, {fault}", call.route()));
    }
    lines.join("\n")
}
