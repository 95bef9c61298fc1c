//! `auth0-signup attempts settle`: one look at Auth0 for each attempt, by the settler's own rules.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::super::output::print;
use super::super::{answer, print_hint};
use super::view::count;
use crate::app::operator::OperatorContext;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::ledger::{Attempt, AttemptState, Find, LedgerError};

/// The most attempts that one command check_count at. Each costs a look-up of the tenant's budget.
const MOST: usize = 1_000;

/// Settles one attempt, or all that nobody works on.
pub(super) async fn run(
    settings: &Settings,
    id: Option<Uuid>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let desk = OperatorContext::open(&settings.ledger, Arc::new(SystemClock)).await?;
    let result = settle(&desk, settings, id, json).await;
    desk.close().await;
    result
}

async fn settle(
    desk: &OperatorContext,
    settings: &Settings,
    id: Option<Uuid>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let attempts = match id {
        Some(id) => desk.ledger.get(id.into()).await?.into_iter().collect(),
        None => unsettled(desk).await?,
    };
    if attempts.is_empty() {
        print_hint(if id.is_some() {
            "there is no such attempt"
        } else {
            "every attempt is settled"
        });
        return Ok(answer(id.is_none()));
    }
    let settler = desk.settler(settings).await?;
    let (mut settled, mut under_way) = (0, 0);
    for attempt in &attempts {
        let doubt = settler.reconcile(attempt).await?;
        if doubt.as_ref().is_some_and(|doubt| id.is_none() && doubt.is_under_way()) {
            under_way += 1;
            continue;
        }
        settled += usize::from(doubt.is_none());
        let doubt = doubt.map(|doubt| doubt.to_string());
        // Read again: the service may have written the outcome meanwhile.
        let state = desk.ledger.get(attempt.id).await?.map(|attempt| attempt.state);
        print(&line(attempt, state, doubt.as_deref(), json))?;
    }
    let looked_at = attempts.len() - under_way;
    print_hint(&format!("{settled} of {} settled", count(looked_at)));
    if under_way > 0 {
        print_hint(&format!("{} under way, left alone", count(under_way)));
    }
    Ok(answer(settled == looked_at))
}

/// What is not settled, oldest first.
async fn unsettled(desk: &OperatorContext) -> Result<Vec<Attempt>, LedgerError> {
    let mut attempts = desk.ledger.find(Find::State(AttemptState::Unknown), MOST).await?;
    attempts.extend(desk.ledger.find(Find::State(AttemptState::Open), MOST).await?);
    attempts.sort_by_key(|attempt| attempt.id);
    attempts.truncate(MOST);
    Ok(attempts)
}

fn line(attempt: &Attempt, state: Option<AttemptState>, doubt: Option<&str>, json: bool) -> String {
    // Gone: an operator forgot it, or it was past its retention.
    let state = state.map_or("forgotten", AttemptState::name);
    if json {
        return format!(
            "{}\n",
            json!({ "id": attempt.id.to_string(), "state": state, "doubt": doubt })
        );
    }
    let doubt = doubt.map(|doubt| format!(": {doubt}")).unwrap_or_default();
    format!("{} {state}{doubt}\n", attempt.id)
}
