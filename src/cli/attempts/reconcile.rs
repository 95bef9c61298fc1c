//! `auth0-signup attempts reconcile`: one lookup at Auth0 for each attempt, by the reconciler's
//! rules.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::super::exit_status;
use super::super::output::{format_attempts, print, print_to_stderr};
use crate::app::operator::{OperatorContext, Reconciler, UnresolvedReason};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::ledger::{Attempt, AttemptState, Find, LedgerError};

/// The maximum number of attempts that one command checks. Each lookup uses the tenant's budget.
const MOST: usize = 1_000;

/// The longest wait for calls that may still run, or be acted on.
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
    let (attempts, is_complete) = match id {
        Some(id) => (context.ledger.get(id.into()).await?.into_iter().collect(), true),
        None => unresolved(context).await?,
    };
    if attempts.is_empty() {
        print_to_stderr(if id.is_some() {
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
        if reason.as_ref().is_some_and(|reason| id.is_none() && is_at_work(attempt, reason)) {
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
    print_to_stderr(&format!("{resolved} of {} resolved", format_attempts(checked)));
    if in_progress > 0 {
        print_to_stderr(&format!("{} in progress, left alone", format_attempts(in_progress)));
    }
    if !is_complete {
        print_to_stderr(&format!(
            "only the latest {MOST} were checked: run it again for the older ones"
        ));
    }
    Ok(exit_status(resolved == checked && is_complete))
}

/// Checks the attempts, and again those that a wait may resolve: their process died and its lease has not
/// ended, or an absent user is not conclusive yet. This process has to see for itself that their
/// calls have ended.
async fn check(
    reconciler: &Reconciler,
    context: &OperatorContext,
    attempts: &[Attempt],
) -> anyhow::Result<Vec<Option<UnresolvedReason>>> {
    let mut reasons = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        reasons.push(reconciler.reconcile(attempt).await?);
    }
    let mut left = LONGEST_WAIT;
    // Twice: a grace period begins only once the lease has ended.
    for _ in 0..2 {
        let waits = attempts.iter().zip(&reasons);
        let waits = waits.filter_map(|(attempt, reason)| wait(attempt, reason.as_ref()?));
        let Some(wait_for) = waits.filter(|wait| *wait <= left).max() else { break };
        let seconds = wait_for.as_secs() + 1;
        print_to_stderr(&format!("waiting {seconds} s for calls that may still be acted on"));
        sleep(wait_for + ROUNDING).await;
        left = left.saturating_sub(wait_for);
        for (attempt, reason) in attempts.iter().zip(&mut reasons) {
            let is_early = reason.as_ref().is_some_and(|reason| wait(attempt, reason).is_some());
            if is_early && let Some(now) = context.ledger.get(attempt.id).await? {
                *reason = match reconciler.reconcile(&now).await? {
                    Some(reason) if is_at_work(&now, &reason) => Some(UnresolvedReason::Resumed),
                    reason => reason,
                };
            }
        }
    }
    Ok(reasons)
}

/// Returns whether a living process is working on the attempt.
fn is_at_work(attempt: &Attempt, reason: &UnresolvedReason) -> bool {
    reason.is_under_way() && attempt.worker.is_some_and(|worker| worker.is_alive)
}

/// The wait after which another check may resolve the attempt.
fn wait(attempt: &Attempt, reason: &UnresolvedReason) -> Option<Duration> {
    if is_at_work(attempt, reason) { None } else { reason.conclusive_in() }
}

/// Returns the latest [`MOST`] unresolved attempts, oldest first, and whether these are all.
async fn unresolved(context: &OperatorContext) -> Result<(Vec<Attempt>, bool), LedgerError> {
    let limit = MOST + 1;
    let mut attempts = context.ledger.find(Find::State(AttemptState::Unknown), limit).await?;
    attempts.extend(context.ledger.find(Find::State(AttemptState::Open), limit).await?);
    attempts.sort_by_key(|attempt| attempt.id);
    let latest = attempts.split_off(attempts.len().saturating_sub(MOST));
    Ok((latest, attempts.is_empty()))
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
