//! The checks of pending attempts: leases, releases, and their number.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::ledger::{
    AttemptId, AttemptState, ClaimDue, FinishAttempt, Lease, NextCheck, PendingAttempts,
};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, LEASE, LONGEST_WAIT, PROCESS, WORKED, after_failure, any_due, begin, created, get, lease,
    not_created, time, unique, unknown,
};

on_both! {
    two_owners_never_lease_the_same_attempt,
    an_expired_lease_is_taken_over_and_cannot_be_released,
    an_attempt_of_a_living_process_is_left_to_it,
    an_attempt_under_way_is_left_out_although_another_took_it_over,
    a_released_attempt_is_due_at_the_given_time_or_never,
    an_attempt_whose_check_is_too_far_ahead_is_due,
    only_failed_checks_are_counted,
    pending_attempts_are_counted_with_the_age_of_the_oldest,
}

async fn two_owners_never_lease_the_same_attempt(backend: Backend) {
    let ledger = backend.open().await;
    for _ in 0..100 {
        begin(&ledger, &unique(NOW)).await;
    }
    let claim = || {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let owner = Uuid::now_v7();
            let claimed = ledger.claim_due(any_due(owner, 20)).await.unwrap();
            assert!(claimed.iter().all(|row| row.lease_owner == Some(owner)));
            claimed.into_iter().map(|row| row.id).collect::<Vec<_>>()
        })
    };
    // Until the first lease ends, nobody else gets them.
    assert!(claim().await.unwrap().is_empty());
    backend.set_time(NOW + LEASE).await;
    let claims: Vec<_> = (0..8).map(|_| claim()).collect();
    let mut seen = Vec::new();
    for claimed in claims {
        let claimed = claimed.await.unwrap();
        assert!(claimed.len() <= 20);
        seen.extend(claimed);
    }
    // Concurrent claims may skip some attempts, but none is leased twice.
    loop {
        let rest = claim().await.unwrap();
        if rest.is_empty() {
            break;
        }
        seen.extend(rest);
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
    assert_eq!(seen.len(), 100);
}

async fn an_expired_lease_is_taken_over_and_cannot_be_released(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    let (dead, heir) = (Uuid::now_v7(), Uuid::now_v7());
    let due = NOW + LEASE;
    backend.set_time(due).await;
    let claimed = ledger.claim_due(any_due(dead, 9)).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].read_at), (1, time(due)));
    // Its request has certainly ended: a duplicate request does not wait for that process any more.
    assert_eq!(claimed[0].worker, None);
    assert_eq!(claimed[0], get(&ledger, attempt.id).await);
    backend.set_time(due + LEASE.saturating_sub(Duration::from_millis(1))).await;
    assert!(ledger.claim_due(any_due(heir, 9)).await.unwrap().is_empty());
    backend.set_time(due + LEASE).await;
    let claimed = ledger.claim_due(any_due(heir, 9)).await.unwrap();
    assert_eq!((claimed[0].lease_owner, claimed[0].check_count), (Some(heir), 0));
    ledger.release(attempt.id, dead, after_failure(Some(Duration::ZERO))).await.unwrap();
    assert_eq!(get(&ledger, attempt.id).await, claimed[0]);
}

/// The clock is set forward while the process works on some attempts. It has forgotten another one.
async fn an_attempt_of_a_living_process_is_left_to_it(backend: Backend) {
    let ledger = backend.open().await;
    let attempts: Vec<_> = (0..6).map(|_| unique(NOW)).collect();
    for attempt in &attempts {
        begin(&ledger, attempt).await;
    }
    let forgotten = attempts[5].id;
    let under_way: Vec<_> = attempts[..5].iter().map(|attempt| attempt.id).collect();
    backend.set_time(NOW + LEASE).await;
    ledger.heartbeat(PROCESS).await.unwrap();
    let claim = async |owner, under_way: &[AttemptId]| {
        let claimed = ledger
            .claim_due(ClaimDue { under_way: under_way.to_vec(), ..any_due(owner, 2) })
            .await
            .unwrap();
        claimed.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(claim(Uuid::now_v7(), &[]).await, []);
    // Those under way do not count against the limit.
    assert_eq!(claim(PROCESS, &under_way).await, [forgotten]);
    let worked = |id| FinishAttempt { basis: WORKED, ..not_created(id) };
    for id in under_way {
        assert!(ledger.finish(worked(id)).await.unwrap());
    }
    let lost = worked(forgotten);
    assert!(!ledger.finish(lost).await.unwrap());
}

/// A process that was slow still works on an attempt. Another one has taken it over, and has died.
async fn an_attempt_under_way_is_left_out_although_another_took_it_over(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    let other = Lease { process: Uuid::now_v7(), ..lease() };
    assert!(ledger.take_over(attempt.id, other, None).await.unwrap().is_some());
    backend.set_time(NOW + LEASE).await;
    let under_way = ClaimDue { under_way: vec![attempt.id], ..any_due(PROCESS, 2) };
    assert_eq!(ledger.claim_due(under_way).await.unwrap(), []);
    assert_eq!(ledger.claim_due(any_due(PROCESS, 2)).await.unwrap().len(), 1);
}

async fn a_released_attempt_is_due_at_the_given_time_or_never(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    let owner = Uuid::now_v7();
    let claim = async || ledger.claim_due(any_due(owner, 9)).await.unwrap().len();
    let due = NOW + LEASE;
    backend.set_time(due).await;
    assert_eq!(claim().await, 1);
    let wait = Duration::from_mins(5);
    ledger.release(attempt.id, owner, after_failure(Some(wait))).await.unwrap();
    backend.set_time(due + wait.saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(claim().await, 0);
    backend.set_time(due + wait).await;
    assert_eq!(claim().await, 1);
    ledger.release(attempt.id, owner, after_failure(None)).await.unwrap();
    backend.set_time(due + wait + DAY).await;
    assert_eq!(claim().await, 0);
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Open);
}

/// Rows that were written while the clock was ahead.
async fn an_attempt_whose_check_is_too_far_ahead_is_due(backend: Backend) {
    let ledger = backend.open().await;
    let (heir, wait) = (Uuid::now_v7(), Duration::from_millis(1));
    let claim = async |limit| {
        let claimed = ledger.claim_due(any_due(heir, limit));
        claimed.await.unwrap().into_iter().map(|row| row.id).collect::<HashSet<_>>()
    };
    let set_back = NOW + LEASE;
    let mut ids = Vec::new();
    for (started_at, is_open) in [
        (set_back + LONGEST_WAIT, false),
        (set_back + LONGEST_WAIT + wait, false),
        (set_back + LONGEST_WAIT, true),
        (NOW, true),
    ] {
        backend.set_time(started_at).await;
        let attempt = unique(started_at);
        begin(&ledger, &attempt).await;
        if !is_open {
            assert!(ledger.finish(unknown(attempt.id)).await.unwrap());
        }
        ids.push(attempt.id);
    }
    // The process dies before the clock is set back.
    backend.set_time(set_back + LONGEST_WAIT).await;
    ledger.heartbeat(PROCESS).await.unwrap();
    backend.set_time(set_back).await;
    // Those whose lease is over come first.
    assert_eq!(claim(1).await, HashSet::from([ids[3]]));
    assert_eq!(claim(9).await, HashSet::from([ids[1], ids[2]]));
    // Leased now, as any other.
    assert_eq!(claim(9).await, HashSet::new());
    backend.set_time(set_back + LEASE).await;
    assert_eq!(claim(9).await, HashSet::from([ids[1], ids[2], ids[3]]));
}

async fn only_failed_checks_are_counted(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = unique(NOW);
    begin(&ledger, &attempt).await;
    ledger.finish(unknown(attempt.id)).await.unwrap();
    let owner = Uuid::now_v7();
    let checks = [(true, 1), (false, 1), (false, 1), (true, 2)];
    for (counts_as_failed, count) in checks {
        let next_check = NextCheck { after: Some(Duration::ZERO), counts_as_failed };
        assert_eq!(ledger.claim_due(any_due(owner, 9)).await.unwrap().len(), 1);
        ledger.release(attempt.id, owner, next_check).await.unwrap();
        let row = get(&ledger, attempt.id).await;
        assert_eq!((row.check_count, row.lease_owner), (count, None));
    }
    // Neither is the check of a process that has lost its lease.
    ledger.release(attempt.id, owner, after_failure(Some(Duration::ZERO))).await.unwrap();
    assert_eq!(get(&ledger, attempt.id).await.check_count, 2);
}

async fn pending_attempts_are_counted_with_the_age_of_the_oldest(backend: Backend) {
    let ledger = backend.open().await;
    assert_eq!(ledger.count_pending().await.unwrap(), PendingAttempts::default());
    let attempts = [2, 0, 1, 3].map(|second| unique(NOW + Duration::from_secs(second)));
    for attempt in &attempts {
        begin(&ledger, attempt).await;
    }
    let counted = async || {
        let PendingAttempts { attempts, oldest } = ledger.count_pending().await.unwrap();
        (attempts, oldest.as_secs())
    };
    // One becomes unknown first, so that it is the longest due.
    ledger.finish(unknown(attempts[2].id)).await.unwrap();
    backend.set_time(NOW + Duration::from_secs(100)).await;
    assert_eq!(counted().await, (4, 100));
    ledger.finish(created(attempts[1].id)).await.unwrap();
    assert_eq!(counted().await, (3, 99));
    let owner = Uuid::from_u128(7);
    let claimed = ledger.claim_due(ClaimDue { lease: DAY, ..any_due(owner, 1) }).await.unwrap();
    assert_eq!(claimed[0].id, attempts[2].id);
    assert_eq!(counted().await, (3, 99));
    let never = NextCheck { after: None, counts_as_failed: false };
    ledger.release(attempts[2].id, owner, never).await.unwrap();
    assert_eq!(counted().await, (2, 98));
}
