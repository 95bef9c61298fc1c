//! `auth0-signup attempts reconcile`: one lookup at Auth0 for each attempt, by the reconciler's
//! rules.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::super::exit_status;
use super::super::output::{print, print_hint};
use super::view::count;
use crate::app::operator::{OperatorContext, Reconciler, UnresolvedReason};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::ledger::{Attempt, AttemptState, Find, LedgerError};

/// The maximum number of attempts that one command checks. Each lookup uses the tenant's budget.
const MOST: usize = 1_000;

/// The longest wait for an absent user to be conclusive.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// Added to the wait: the ledger keeps times to the millisecond.
const ROUNDING: Duration = Duration::from_millis(50);

/// Reconciles one attempt, or all that no process is working on.
pub(super) async fn run(
    settings: &Settings,
    id: Option<Uuid>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let context = OperatorContext::open(&settings.ledger, Arc::new(SystemClock)).await?;
    let result = reconcile(&context, settings, id, json).await;
    context.close().await;
    result
}

async fn reconcile(
    context: &OperatorContext,
    settings: &Settings,
    id: Option<Uuid>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let attempts = match id {
        Some(id) => context.ledger.get(id.into()).await?.into_iter().collect(),
        None => unresolved(context).await?,
    };
    if attempts.is_empty() {
        print_hint(if id.is_some() {
            "there is no such attempt"
        } else {
            "every attempt is resolved"
        });
        return Ok(exit_status(id.is_none()));
    }
    let reconciler = context.reconciler(settings).await?;
    let reasons = check(&reconciler, context, &attempts).await?;
    let (mut resolved, mut in_progress) = (0, 0);
    for (attempt, reason) in attempts.iter().zip(reasons) {
        if reason.as_ref().is_some_and(|reason| id.is_none() && reason.is_under_way()) {
            in_progress += 1;
            continue;
        }
        resolved += usize::from(reason.is_none());
        let reason = reason.map(|reason| reason.to_string());
        // Read again: the service may have recorded the outcome meanwhile.
        let state = context.ledger.get(attempt.id).await?.map(|attempt| attempt.state);
        print(&line(attempt, state, reason.as_deref(), json))?;
    }
    let checked = attempts.len() - in_progress;
    print_hint(&format!("{resolved} of {} resolved", count(checked)));
    if in_progress > 0 {
        print_hint(&format!("{} in progress, left alone", count(in_progress)));
    }
    Ok(exit_status(resolved == checked))
}

/// Checks the attempts, and once more those whose absent user is conclusive only after a wait: this
/// process has to see for itself that their calls have ended.
async fn check(
    reconciler: &Reconciler,
    context: &OperatorContext,
    attempts: &[Attempt],
) -> anyhow::Result<Vec<Option<UnresolvedReason>>> {
    let mut reasons = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        reasons.push(reconciler.reconcile(attempt).await?);
    }
    let waits = reasons.iter().flatten().filter_map(UnresolvedReason::conclusive_in);
    let Some(wait) = waits.filter(|wait| *wait <= LONGEST_WAIT).max() else { return Ok(reasons) };
    print_hint(&format!("waiting {} s for calls that may still be acted on", wait.as_secs() + 1));
    sleep(wait + ROUNDING).await;
    for (attempt, reason) in attempts.iter().zip(&mut reasons) {
        let is_early = reason.as_ref().is_some_and(|reason| reason.conclusive_in().is_some());
        if is_early && let Some(now) = context.ledger.get(attempt.id).await? {
            *reason = match reconciler.reconcile(&now).await? {
                Some(reason) if reason.is_under_way() => Some(UnresolvedReason::Resumed),
                reason => reason,
            };
        }
    }
    Ok(reasons)
}

/// Returns the unresolved attempts, oldest first.
async fn unresolved(context: &OperatorContext) -> Result<Vec<Attempt>, LedgerError> {
    let mut attempts = context.ledger.find(Find::State(AttemptState::Unknown), MOST).await?;
    attempts.extend(context.ledger.find(Find::State(AttemptState::Open), MOST).await?);
    attempts.sort_by_key(|attempt| attempt.id);
    attempts.truncate(MOST);
    Ok(attempts)
}

fn line(
    attempt: &Attempt,
    state: Option<AttemptState>,
    reason: Option<&str>,
    json: bool,
) -> String {
    // No longer there: an operator removed it, or its retention ended.
    let state = state.map_or("forgotten", AttemptState::name);
    if json {
        return format!(
            "{}\n",
            json!({ "id": attempt.id.to_string(), "state": state, "reason": reason })
        );
    }
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {state}{reason}\n", attempt.id)
}
