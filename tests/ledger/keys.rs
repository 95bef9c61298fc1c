//! Idempotency keys: one attempt holds a key until it expires or is freed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::digest::DigestPair;
use auth0_signup::ledger::{AttemptState, BeginResult, Find, NewAttempt, ProofUse, Resolution};

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, Finish, begin, binding, created, digest, existing, finish, get, holder, kept_for, key,
    keyed, not_created, proof_only, restartable, time, unique, unknown, with_keys,
};

on_both! {
    fifty_concurrent_duplicates_start_one_attempt,
    a_key_returns_its_attempt_across_batches,
    concurrent_attempts_and_resolutions_are_all_written,
    only_a_freed_key_starts_a_new_attempt,
    a_key_is_freed_whatever_the_outcome,
    an_expired_key_is_not_found_and_starts_a_new_attempt,
    nothing_is_left_of_a_key_that_is_freed_or_has_expired,
    a_key_under_the_previous_secret_is_found,
    replicas_with_different_secrets_start_one_attempt,
    a_proof_is_unused_when_the_key_is_taken,
}

async fn fifty_concurrent_duplicates_start_one_attempt(backend: Backend) {
    let ledger = backend.open().await;
    for round in 0..5 {
        let duplicates = (0..50).map(|_| {
            let ledger = Arc::clone(&ledger);
            let attempt = keyed(round, NOW);
            tokio::spawn(async move { (attempt.id, begin(&ledger, &attempt).await) })
        });
        let mut started = Vec::new();
        let mut found = HashSet::new();
        for duplicate in duplicates.collect::<Vec<_>>() {
            match duplicate.await.unwrap() {
                (id, BeginResult::Started) => started.push(id),
                (_, BeginResult::Existing(attempt)) => drop(found.insert(attempt.id)),
                (_, result @ (BeginResult::RateLimited { .. } | BeginResult::ProofAlreadyUsed)) => {
                    panic!("{result:?}")
                }
            }
        }
        assert_eq!(started.len(), 1);
        assert_eq!(found, HashSet::from([started[0]]));
    }
    assert_eq!(ledger.find(Find::All, 100).await.unwrap().len(), 5);
}

async fn a_key_returns_its_attempt_across_batches(backend: Backend) {
    let ledger = backend.open().await;
    let first = keyed(1, NOW);
    begin(&ledger, &first).await;
    let row = get(&ledger, first.id).await;
    match begin(&ledger, &keyed(1, NOW)).await {
        BeginResult::Existing(found) => assert_eq!(*found, row),
        result => panic!("{result:?}"),
    }
    let found = ledger.find_key(&key(1)).await.unwrap();
    assert_eq!((found.now, found.attempt), (time(NOW), Some(row)));
    backend.set_time(NOW + Duration::from_millis(1)).await;
    let found = ledger.find_key(&key(2)).await.unwrap();
    assert_eq!((found.now, found.attempt), (time(NOW + Duration::from_millis(1)), None));
}

async fn concurrent_attempts_and_resolutions_are_all_written(backend: Backend) {
    let ledger = backend.open().await;
    let tasks = (0..400).map(|number| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            // Half of them have a key of their own, the others share one with another.
            let attempt = if number % 2 == 0 { keyed(number / 4, NOW) } else { unique(NOW) };
            let started = begin(&ledger, &attempt).await == BeginResult::Started;
            if started {
                assert!(ledger.finish(created(attempt.id)).await.unwrap());
            }
            started
        })
    });
    let mut started = 0;
    for task in tasks.collect::<Vec<_>>() {
        started += usize::from(task.await.unwrap());
    }
    assert_eq!(started, 300);
    let by = Find::State(AttemptState::Created);
    assert_eq!(ledger.find(by, 1_000).await.unwrap().len(), 300);
}

async fn only_a_freed_key_starts_a_new_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let kept = [
        Resolution::Created { user_id: None },
        Resolution::Exists,
        Resolution::Unknown,
        Resolution::Restartable,
    ];
    for (number, resolution) in (1..).zip(kept) {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        ledger.finish(finish(attempt.id, resolution, "code")).await.unwrap();
        assert_eq!(existing(&begin(&ledger, &keyed(number, NOW)).await), Some(attempt.id));
    }
    let attempt = keyed(9, NOW);
    begin(&ledger, &attempt).await;
    assert!(ledger.finish(not_created(attempt.id)).await.unwrap());
    assert_eq!(holder(&ledger, &key(9)).await, None);
    // A duplicate request that waited asks by id, and gets the outcome.
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.outcome_code.as_deref(), row.key), (Some("upstream_busy"), None));
    assert_eq!(begin(&ledger, &keyed(9, NOW)).await, BeginResult::Started);
}

async fn a_key_is_freed_whatever_the_outcome(backend: Backend) {
    let ledger = backend.open().await;
    let outcomes: [(u32, Finish); 3] = [(1, created), (2, unknown), (3, restartable)];
    for (number, finish) in outcomes {
        let numbers = [number, 100 + number];
        let attempt = with_keys(&numbers, NOW);
        begin(&ledger, &attempt).await;
        ledger.finish(finish(attempt.id)).await.unwrap();
        let state = get(&ledger, attempt.id).await.state;
        // Not if the attempt has left the state in which it was read.
        ledger.free_key(attempt.id, AttemptState::Open).await.unwrap();
        assert!(get(&ledger, attempt.id).await.key.is_some());
        ledger.free_key(attempt.id, state).await.unwrap();
        // A second time changes nothing.
        ledger.free_key(attempt.id, state).await.unwrap();
        assert_eq!(get(&ledger, attempt.id).await.key, None);
        assert_eq!(begin(&ledger, &with_keys(&numbers, NOW)).await, BeginResult::Started);
    }
}

async fn an_expired_key_is_not_found_and_starts_a_new_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    backend.set_time(NOW + DAY.saturating_sub(Duration::from_millis(1))).await;
    assert!(holder(&ledger, &key(1)).await.is_some());
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(attempt.id));
    backend.set_time(NOW + DAY).await;
    assert_eq!(holder(&ledger, &key(1)).await, None);
    assert_eq!(get(&ledger, attempt.id).await.key, None);
    let again = keyed(1, NOW + DAY);
    assert_eq!(begin(&ledger, &again).await, BeginResult::Started);
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW + DAY)).await), Some(again.id));
    assert_eq!(get(&ledger, attempt.id).await.key, None);
}

async fn nothing_is_left_of_a_key_that_is_freed_or_has_expired(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = with_keys(&[1, 2], NOW);
    begin(&ledger, &attempt).await;
    assert_eq!(backend.count("attempt_keys").await, 2);
    ledger.finish(not_created(attempt.id)).await.unwrap();
    assert_eq!(backend.count("attempt_keys").await, 0);

    let attempt = with_keys(&[1, 2], NOW);
    begin(&ledger, &attempt).await;
    ledger.free_key(attempt.id, AttemptState::Open).await.unwrap();
    assert_eq!(backend.count("attempt_keys").await, 0);

    begin(&ledger, &with_keys(&[1, 2], NOW)).await;
    backend.set_time(NOW + DAY).await;
    // A new attempt replaces the key that it needs, and the sweeper deletes the rest.
    begin(&ledger, &keyed(1, NOW + DAY)).await;
    assert_eq!(backend.count("attempt_keys").await, 2);
    assert_eq!(ledger.sweep(kept_for(30 * DAY), 10).await.unwrap().keys, 1);
    assert_eq!(backend.count("attempt_keys").await, 1);
}

async fn a_key_under_the_previous_secret_is_found(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let rotated = DigestPair { current: digest(2), previous: Some(digest(1)) };
    let found = holder(&ledger, &rotated).await.unwrap();
    assert_eq!((found.id, found.key.unwrap().binding), (attempt.id, binding(1)));
    assert_eq!(existing(&begin(&ledger, &with_keys(&[2, 1], NOW)).await), Some(attempt.id));
    ledger.finish(not_created(attempt.id)).await.unwrap();
    assert_eq!(begin(&ledger, &with_keys(&[2, 1], NOW)).await, BeginResult::Started);
}

/// A rotation that is half rolled out: of two secrets, one replica writes with the first and knows
/// the second, and the other the reverse. A third knows only the first.
async fn replicas_with_different_secrets_start_one_attempt(backend: Backend) {
    let ledger = backend.open().await;
    for round in 0..20 {
        let (old, new) = (2 * round, 2 * round + 1);
        let forms = [vec![old], vec![old, new], vec![new, old]];
        let tasks = (0..12).map(|number| {
            let ledger = Arc::clone(&ledger);
            let attempt = with_keys(&forms[number % 3], NOW);
            tokio::spawn(async move { begin(&ledger, &attempt).await == BeginResult::Started })
        });
        let mut started = 0;
        for task in tasks.collect::<Vec<_>>() {
            started += usize::from(task.await.unwrap());
        }
        assert_eq!(started, 1, "{round}");
        // Each secret finds it by its own key, with its own binding, unless the replica that
        // started it had no such secret.
        let found = holder(&ledger, &key(old)).await.unwrap();
        assert_eq!(found.key.unwrap().binding, binding(old));
        if let Some(same) = holder(&ledger, &key(new)).await {
            assert_eq!((same.id, same.key.unwrap().binding), (found.id, binding(new)));
        }
    }
    assert_eq!(ledger.find(Find::All, 100).await.unwrap().len(), 20);
}

async fn a_proof_is_unused_when_the_key_is_taken(backend: Backend) {
    let ledger = backend.open().await;
    let proof = ProofUse { proof: digest(9), lasts: DAY };
    let pays = |attempt| NewAttempt { admission_cost: proof_only(proof), ..attempt };
    let first = with_keys(&[1, 2], NOW);
    begin(&ledger, &first).await;
    for keys in [[1, 2], [2, 1], [3, 2]] {
        let duplicate = pays(with_keys(&keys, NOW));
        assert_eq!(existing(&begin(&ledger, &duplicate).await), Some(first.id));
    }
    assert_eq!(backend.count("used_proofs").await, 0);
    let paying = pays(keyed(4, NOW));
    assert_eq!(begin(&ledger, &paying).await, BeginResult::Started);
    // The key decides before the proof, and a rejected attempt leaves nothing.
    assert_eq!(existing(&begin(&ledger, &pays(keyed(4, NOW))).await), Some(paying.id));
    assert_eq!(begin(&ledger, &pays(keyed(5, NOW))).await, BeginResult::ProofAlreadyUsed);
    assert_eq!(holder(&ledger, &key(5)).await, None);
    assert_eq!(ledger.find(Find::All, 9).await.unwrap().len(), 2);
}
