//! Deletion of rows, the operators' searches, and the end of a ledger.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::digest::DigestPair;
use auth0_signup::ledger::{
    AttemptId, AttemptState, BeginResult, Find, HEARTBEAT_LAPSE, NewAttempt, ProofUse, Swept,
};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, begin, created, digest, holder, kept_for, key, keyed, lease, not_created, proof_only,
    time, unique, unknown, with_keys,
};

on_both! {
    a_sweep_works_in_batches_and_keeps_recent_rows,
    a_sweep_ends_what_was_written_while_the_clock_was_ahead,
    deleting_by_email_removes_the_attempts_of_that_address_only,
    deleting_by_email_deletes_the_notice_and_detaches_used_proofs,
    a_mark_is_deleted_by_the_attempt_that_recorded_it,
    a_mark_is_recorded_once_under_either_secret,
    a_mark_that_has_expired_is_recorded_again,
    operators_find_by_request_state_and_address,
    a_closed_ledger_rejects_every_call,
}

async fn a_sweep_works_in_batches_and_keeps_recent_rows(backend: Backend) {
    let ledger = backend.open().await;
    for number in 0..25 {
        begin(&ledger, &keyed(number, NOW)).await;
    }
    backend.set_time(NOW + DAY).await;
    for number in 0..25 {
        begin(&ledger, &keyed(100 + number, NOW + DAY)).await;
    }
    let keep = 30 * DAY;
    let first = ledger.sweep(kept_for(keep), 10).await.unwrap();
    assert_eq!((first.attempts, first.keys), (0, 10));
    assert!(!first.is_done(10));
    let all = ledger.sweep(kept_for(keep), 100).await.unwrap();
    assert_eq!((all.attempts, all.keys), (0, 15));
    assert!(all.is_done(100));
    backend.set_time(NOW + keep + Duration::from_millis(1)).await;
    let oldest = ledger.sweep(kept_for(keep), 20).await.unwrap();
    assert_eq!((oldest.attempts, oldest.keys), (20, 20));
    let rest = ledger.sweep(kept_for(keep), 20).await.unwrap();
    assert_eq!((rest.attempts, rest.keys), (5, 5));
    let left = ledger.find(Find::All, 100).await.unwrap();
    assert_eq!(left.len(), 25);
    assert!(left.iter().all(|row| row.started_at == time(NOW + DAY) && row.key.is_none()));

    // An attempt takes its keys along, even if they have not expired.
    begin(&ledger, &with_keys(&[1, 2], NOW)).await;
    ledger.sweep(kept_for(keep), 20).await.unwrap();
    assert_eq!(backend.count("attempt_keys").await, 0);
}

/// Nobody knows when a row was written whose time is ahead, so it lasts as long as one that is written now.
async fn a_sweep_ends_what_was_written_while_the_clock_was_ahead(backend: Backend) {
    let (keep, year) = (30 * DAY, 400 * DAY);
    let ahead = NOW + year;
    let ledger = backend.open().await;
    backend.set_time(ahead).await;
    // Each has two keys, as in a rotation of the secret.
    let old: Vec<_> = (0..4).map(|number| with_keys(&[number, 100 + number], ahead)).collect();
    for (number, attempt) in (20..).zip(&old) {
        begin(&ledger, attempt).await;
        assert!(ledger.record_once(attempt.id, key(number), DAY).await.unwrap());
    }
    assert!(ledger.finish(created(old[0].id)).await.unwrap());
    assert!(ledger.finish(not_created(old[1].id)).await.unwrap());
    assert!(ledger.finish(unknown(old[2].id)).await.unwrap());
    // As far ahead as a row that is written now.
    backend.set_time(NOW).await;
    let new = keyed(9, NOW);
    begin(&ledger, &new).await;
    assert!(ledger.finish(created(new.id)).await.unwrap());

    let sweep = async |batch| ledger.sweep(kept_for(keep), batch).await.unwrap();
    while !sweep(2).await.is_done(2) {}
    assert_eq!(sweep(100).await, Swept::default());
    // The one whose key was free is gone; the others may still be asked for.
    assert_eq!(ledger.find(Find::All, 9).await.unwrap().len(), 4);
    for number in [0, 2, 3, 100, 102, 103, 9] {
        let attempt = holder(&ledger, &key(number)).await.expect("a key");
        assert_eq!(attempt.key.unwrap().expires_at, time(NOW + DAY), "{number}");
    }
    assert_eq!(backend.count("used_proofs").await, 4);

    backend.set_time(NOW + DAY).await;
    let swept = sweep(100).await;
    assert_eq!((swept.keys, swept.proofs), (7, 4));
    for number in 0..4 {
        assert_eq!(holder(&ledger, &key(number)).await, None);
    }
    while !sweep(100).await.is_done(1) {}
    // Nothing forgets an attempt whose outcome is still looked for.
    let left = ledger.find(Find::All, 9).await.unwrap();
    let left: HashSet<_> = left.iter().map(|attempt| attempt.id).collect();
    assert_eq!(left, HashSet::from([old[2].id, old[3].id, new.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_another_day_are_swept() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let late = NOW + HEARTBEAT_LAPSE;
    // The first was seen before the clock was set back.
    for seen_at in [late + Duration::from_millis(1), late, NOW, NOW.saturating_sub(DAY)] {
        backend.set_time(seen_at).await;
        ledger.heartbeat(Uuid::now_v7()).await.unwrap();
    }
    let left = async |now, number| {
        backend.set_time(now).await;
        ledger.sweep(kept_for(DAY), 9).await.unwrap();
        assert_eq!(backend.count("processes").await, number);
    };
    left(NOW, 3).await;
    left(NOW + Duration::from_millis(1), 2).await;
}

async fn deleting_by_email_removes_the_attempts_of_that_address_only(backend: Backend) {
    let ledger = backend.open().await;
    for number in 0..6 {
        let keys = [number, 100 + number];
        let attempt = NewAttempt { email: digest(number % 3), ..with_keys(&keys, NOW) };
        begin(&ledger, &attempt).await;
    }
    let both = DigestPair { current: digest(0), previous: Some(digest(1)) };
    assert_eq!(ledger.delete_by_email(&both).await.unwrap(), 4);
    assert_eq!(ledger.delete_by_email(&both).await.unwrap(), 0);
    let left = ledger.find(Find::All, 100).await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|row| row.email == digest(2)));
    assert_eq!(backend.count("attempt_keys").await, 4);
    assert_eq!(begin(&ledger, &keyed(0, NOW)).await, BeginResult::Started);
}

async fn deleting_by_email_deletes_the_notice_and_detaches_used_proofs(backend: Backend) {
    let ledger = backend.open().await;
    let proof = ProofUse { proof: digest(7), lasts: DAY };
    let admission_cost = proof_only(proof);
    let attempt = NewAttempt { email: digest(1), admission_cost, ..keyed(1, NOW) };
    assert_eq!(begin(&ledger, &attempt).await, BeginResult::Started);
    // A notice to the owner of an address is recorded under the digest of the address.
    assert!(ledger.record_once(attempt.id, key(1), DAY).await.unwrap());

    let address = DigestPair { current: digest(1), previous: None };
    assert_eq!(ledger.delete_by_email(&address).await.unwrap(), 1);
    assert_eq!(backend.count("used_proofs").await, 1);
    // The attempt itself could use its proof again.
    assert!(!ledger.record_once(attempt.id, key(7), DAY).await.unwrap());
}

async fn a_mark_is_recorded_once_under_either_secret(backend: Backend) {
    let ledger = backend.open().await;
    let pair = |current, previous| DigestPair { previous: Some(digest(previous)), ..key(current) };
    let record = async |mark, lasts| ledger.record_once(unique(NOW).id, mark, lasts).await.unwrap();
    assert!(record(key(1), DAY).await);
    // The rotation begins, the secret is replaced, and the rotation ends.
    assert!(!record(pair(1, 2), 2 * DAY).await);
    assert!(!record(pair(2, 1), 2 * DAY).await);
    assert_eq!(backend.count("used_proofs").await, 1, "no longer than it was recorded for");
    assert!(record(key(2), DAY).await);
    assert!(record(pair(3, 4), DAY).await);
    for mark in [key(3), key(4), pair(4, 3), pair(4, 5)] {
        assert!(!record(mark, DAY).await);
    }
    let concurrent = (0..20).map(|number| {
        let ledger = Arc::clone(&ledger);
        let mark = if number % 2 == 0 { pair(6, 7) } else { pair(7, 6) };
        tokio::spawn(async move { ledger.record_once(unique(NOW).id, mark, DAY).await.unwrap() })
    });
    let concurrent = futures_util::future::join_all(concurrent.collect::<Vec<_>>()).await;
    assert_eq!(concurrent.into_iter().filter(|recorded| *recorded.as_ref().unwrap()).count(), 1);
}

/// In a rotation a mark is recorded twice.
async fn a_mark_is_deleted_by_the_attempt_that_recorded_it(backend: Backend) {
    let ledger = backend.open().await;
    let pair = |current, previous| DigestPair { previous: Some(digest(previous)), ..key(current) };
    let (owner, other) = (unique(NOW).id, unique(NOW).id);
    assert!(ledger.record_once(owner, pair(1, 2), DAY).await.unwrap());
    assert!(ledger.record_once(owner, key(3), DAY).await.unwrap());
    ledger.delete_mark(other, pair(1, 2)).await.unwrap();
    assert!(!ledger.record_once(other, pair(2, 1), DAY).await.unwrap());
    ledger.delete_mark(owner, pair(1, 2)).await.unwrap();
    assert_eq!(backend.count("used_proofs").await, 1);
    assert!(!ledger.record_once(other, key(3), DAY).await.unwrap());
    assert!(ledger.record_once(other, pair(2, 1), DAY).await.unwrap());
    assert_eq!(backend.count("used_proofs").await, 3);
}

/// A sweep may be late by any time: none runs while the clock is known to be wrong.
async fn a_mark_that_has_expired_is_recorded_again(backend: Backend) {
    let ledger = backend.open().await;
    let pair = |current, previous| DigestPair { previous: Some(digest(previous)), ..key(current) };
    let record = async |mark| ledger.record_once(unique(NOW).id, mark, DAY).await.unwrap();
    let proof = ProofUse { proof: digest(9), lasts: DAY };
    let uses_proof =
        |number| NewAttempt { admission_cost: proof_only(proof), ..keyed(number, NOW) };
    assert!(record(pair(1, 2)).await);
    assert_eq!(begin(&ledger, &uses_proof(1)).await, BeginResult::Started);
    backend.set_time(NOW + DAY.saturating_sub(Duration::from_millis(1))).await;
    assert!(!record(pair(2, 1)).await);
    backend.set_time(NOW + DAY).await;
    let concurrent = (0..20).map(|number| {
        let ledger = Arc::clone(&ledger);
        let mark = if number % 2 == 0 { pair(1, 2) } else { pair(2, 1) };
        tokio::spawn(async move { ledger.record_once(unique(NOW).id, mark, DAY).await.unwrap() })
    });
    let concurrent = futures_util::future::join_all(concurrent.collect::<Vec<_>>()).await;
    assert_eq!(concurrent.into_iter().filter(|recorded| *recorded.as_ref().unwrap()).count(), 1);
    backend.set_time(NOW + (2 * DAY).saturating_sub(Duration::from_millis(1))).await;
    for mark in [key(1), key(2)] {
        assert!(!record(mark).await);
    }
    assert_eq!(begin(&ledger, &uses_proof(2)).await, BeginResult::ProofAlreadyUsed);
}

async fn operators_find_by_request_state_and_address(backend: Backend) {
    let ledger = backend.open().await;
    let at = |millis| NOW + Duration::from_millis(millis);
    let first = with_keys(&[1, 2], at(0));
    let second = NewAttempt { email: digest(2), request_id: "request-2".into(), ..unique(at(1)) };
    let third = unique(at(2));
    for attempt in [&first, &second, &third] {
        begin(&ledger, attempt).await;
    }
    ledger.finish(created(third.id)).await.unwrap();
    let find = async |by, limit| -> Vec<AttemptId> {
        ledger.find(by, limit).await.unwrap().iter().map(|row| row.id).collect()
    };
    assert_eq!(find(Find::All, 9).await, [third.id, second.id, first.id]);
    assert_eq!(find(Find::All, 2).await, [third.id, second.id]);
    assert_eq!(find(Find::State(AttemptState::Open), 9).await, [second.id, first.id]);
    assert_eq!(find(Find::RequestId("request-2".into()), 9).await, [second.id]);
    assert_eq!(find(Find::Email(key(1)), 9).await, [third.id, first.id]);
    let both = DigestPair { current: digest(2), previous: Some(digest(1)) };
    assert_eq!(find(Find::Email(both), 2).await, [third.id, second.id]);
}

async fn a_closed_ledger_rejects_every_call(backend: Backend) {
    let ledger = backend.open().await;
    ledger.close().await;
    ledger.close().await;
    let id = AttemptId::new(time(NOW));
    let proof = ProofUse { proof: digest(1), lasts: DAY };
    let cost = proof_only(proof);
    let paying = NewAttempt { admission_cost: cost, ..unique(NOW) };
    assert!(ledger.begin(unique(NOW)).await.is_err());
    assert!(ledger.begin(paying).await.is_err());
    assert!(ledger.record_once(id, key(1), DAY).await.is_err());
    assert!(ledger.finish(created(id)).await.is_err());
    assert!(ledger.restart(id, lease()).await.is_err());
    assert!(ledger.take_over(id, lease(), None).await.is_err());
    assert!(ledger.free_key(id, AttemptState::Created).await.is_err());
    assert!(ledger.find_key(&key(1)).await.is_err());
    assert!(ledger.get(id).await.is_err());
    assert!(ledger.find(Find::All, 1).await.is_err());
    assert!(ledger.count_pending().await.is_err());
    assert!(ledger.heartbeat(lease().process).await.is_err());
    assert!(ledger.keeps_user_ids(&key(1)).await.is_err());
    assert!(ledger.ping(false).await.is_err());
}
