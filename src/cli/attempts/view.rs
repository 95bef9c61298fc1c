//! The output of attempts for operators: text, rows of a table, or JSON. Contains no digest.

use std::fmt::Write as _;

use serde::Serialize;

use crate::clock::{LedgerTime, utc};
use crate::ledger::{Attempt, AttemptState};

/// The printed values of an attempt; `docs/api.md` lists the JSON member names.
#[derive(Debug, Serialize)]
pub(super) struct AttemptView {
    id: String,
    state: &'static str,
    #[serde(skip)]
    meaning: &'static str,
    outcome_code: Option<String>,
    /// The user that this attempt created.
    user_id: Option<String>,
    /// The id that the create call pins.
    pinned_user_id: String,
    request_id: String,
    auth0_request_id: Option<String>,
    started_at: String,
    finished_at: Option<String>,
    connection_ended_at: Option<String>,
    next_check_at: Option<String>,
    check_count: u32,
    key_expires_at: Option<String>,
    terms_version: Option<String>,
}

impl AttemptView {
    pub(super) fn new(attempt: &Attempt) -> Self {
        let created = attempt.state == AttemptState::Created;
        Self {
            id: attempt.id.to_string(),
            state: attempt.state.name(),
            meaning: meaning(attempt.state),
            outcome_code: attempt.outcome_code.clone(),
            user_id: created.then(|| attempt.created_user_id().to_string()),
            pinned_user_id: attempt.user_id.to_user_id().to_string(),
            request_id: attempt.request_id.clone(),
            auth0_request_id: attempt.auth0_request_id.clone(),
            started_at: utc(attempt.started_at.since_epoch()),
            finished_at: time(attempt.finished_at),
            connection_ended_at: time(attempt.connection_ended_at),
            next_check_at: time(attempt.next_check_at),
            check_count: attempt.check_count,
            key_expires_at: time(attempt.key.map(|key| key.expires_at)),
            terms_version: attempt.terms.as_ref().map(|terms| terms.as_str().to_owned()),
        }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        // Text and numbers with fixed names: serialisation cannot fail.
        serde_json::to_string(self).map(|json| json + "\n").unwrap_or_default()
    }
}

const fn meaning(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Open => "started, and no outcome is recorded; the account may exist",
        AttemptState::Created => "this attempt created the account",
        AttemptState::Exists => "the address already had an account",
        AttemptState::Unknown => {
            "the account may have been created; `attempts reconcile` looks it up"
        }
        AttemptState::NotCreated => "no account was created; the form can be sent again",
    }
}

/// One row for each attempt.
pub(super) fn table(attempts: &[AttemptView]) -> String {
    let row = |started: &str, state: &str, code: &str, id: &str, request: &str| {
        format!("{started:<24}  {state:<11}  {code:<20}  {id:<36}  {request}\n")
    };
    let head = row("STARTED", "STATE", "CODE", "ATTEMPT", "REQUEST");
    let rows = attempts.iter().map(|attempt| {
        let AttemptView { started_at, state, outcome_code, id, request_id, .. } = attempt;
        row(started_at, state, outcome_code.as_deref().unwrap_or("-"), id, request_id)
    });
    std::iter::once(head).chain(rows).collect()
}

/// Every recorded value, one on each line, with a blank line between attempts.
pub(super) fn details(attempts: &[AttemptView]) -> String {
    attempts.iter().map(detail).collect::<Vec<_>>().join("\n")
}

fn detail(attempt: &AttemptView) -> String {
    let mut text = String::new();
    let state = format!("{}: {}", attempt.state, attempt.meaning);
    let checks = (attempt.check_count > 0).then(|| attempt.check_count.to_string());
    let values = [
        ("attempt", Some(&attempt.id)),
        ("state", Some(&state)),
        ("outcome code", attempt.outcome_code.as_ref()),
        ("user", attempt.user_id.as_ref()),
        ("pinned user", Some(&attempt.pinned_user_id).filter(|_| attempt.user_id.is_none())),
        ("request", Some(&attempt.request_id)),
        ("request at Auth0", attempt.auth0_request_id.as_ref()),
        ("started", Some(&attempt.started_at)),
        ("finished", attempt.finished_at.as_ref()),
        ("connection ended", attempt.connection_ended_at.as_ref()),
        ("next check", attempt.next_check_at.as_ref()),
        ("checks", checks.as_ref()),
        ("key replays until", attempt.key_expires_at.as_ref()),
        ("terms", attempt.terms_version.as_ref()),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _unfailing = writeln!(text, "{name:<18} {value}");
        }
    }
    text
}

/// Formats a time that may be absent.
fn time(at: Option<LedgerTime>) -> Option<String> {
    at.map(|at| utc(at.since_epoch()))
}
