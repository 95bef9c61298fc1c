//! The row of an attempt, and what resolutions change in it.

use std::time::Duration;

use auth0_signup::digest::DigestPair;
use auth0_signup::domain::{TermsVersion, UserId};
use auth0_signup::ledger::{
    Attempt, AttemptId, AttemptState, Basis, BeginResult, Find, FinishAttempt, Lease, NewAttempt,
    Resolution, StoredKey, Worker,
};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, LEASE, PROCESS, WORKED, after_failure, any_due, begin, binding, created, finish, get, key,
    keyed, lease, not_created, restartable, time, unique, unknown,
};

on_both! {
    a_row_comes_back_as_it_was_written,
    a_resolved_attempt_changes_only_to_created,
    an_unknown_attempt_is_due_at_once_and_can_be_resolved,
    an_absence_is_void_once_the_call_is_repeated,
    concurrent_resolutions_of_one_attempt_keep_created,
    a_response_is_void_once_a_request_has_resumed_the_attempt,
    a_response_is_void_once_the_attempt_has_started_again,
    an_attempt_that_is_given_back_is_as_before,
    attempts_of_a_user_are_found_with_expired_keys,
    the_id_of_an_earlier_version_is_one_of_auth0,
}

async fn a_row_comes_back_as_it_was_written(backend: Backend) {
    let ledger = backend.open().await;
    let terms = TermsVersion::parse("2026-11");
    let new = NewAttempt { terms: terms.clone(), ..keyed(1, NOW) };
    assert_eq!(begin(&ledger, &new).await, BeginResult::Started);
    let without = NewAttempt { tenant_started_at: None, ..unique(NOW) };
    begin(&ledger, &without).await;
    let row = get(&ledger, without.id).await;
    assert_eq!((row.terms, row.tenant_started_at), (None, None));
    let row = get(&ledger, new.id).await;
    assert_eq!((row.id, row.email, row.state), (new.id, new.email, AttemptState::Open));
    assert_eq!((&row.user_id, &row.request_id), (&new.user_id, &new.request_id));
    assert_eq!((row.started_at, row.next_check_at), (time(NOW), Some(time(NOW + LEASE))));
    assert_eq!((row.outcome_code, row.finished_at, row.connection_ended_at), (None, None, None));
    assert_eq!((row.check_count, row.lease_owner, row.restarts), (0, None, 0));
    assert_eq!(row.worker, Some(Worker { process: PROCESS, is_alive: false }));
    assert_eq!((row.tenant_started_at, row.read_at), (new.tenant_started_at, time(NOW)));
    let stored = StoredKey { binding: binding(1), expires_at: time(NOW + DAY) };
    assert_eq!(row.key, Some(stored));

    let finished_at = NOW + Duration::from_millis(456);
    backend.set_time(finished_at).await;
    let other = UserId::from_auth0("auth0|MyConnection|7");
    let user_id = Some(other.clone());
    let end = finish(new.id, Resolution::Created { user_id: user_id.clone() }, "created");
    assert!(ledger.finish(end.clone()).await.unwrap());
    let row = get(&ledger, new.id).await;
    assert_eq!((row.state, row.outcome_code.as_deref()), (AttemptState::Created, Some("created")));
    assert_eq!((row.created_user_id(), row.terms), (other, terms));
    assert_eq!(row.auth0_user_id, user_id);
    assert_eq!(row.auth0_request_id, end.auth0_request_id);
    assert_eq!((row.finished_at, row.read_at), (Some(time(finished_at)), time(finished_at)));
    assert_eq!((row.next_check_at, row.worker, row.key), (None, None, Some(stored)));
    assert_eq!(ledger.get(AttemptId::new(time(NOW))).await.unwrap(), None);
    assert_eq!(ledger.now().await.unwrap(), time(finished_at));
}

async fn a_resolved_attempt_changes_only_to_created(backend: Backend) {
    let ledger = backend.open().await;
    for first in [Resolution::NotCreated, Resolution::Restartable, Resolution::Exists] {
        let attempt = unique(NOW);
        begin(&ledger, &attempt).await;
        let state = first.state();
        assert!(ledger.finish(finish(attempt.id, first, "code")).await.unwrap());
        for late in [Resolution::Exists, Resolution::Unknown, Resolution::NotCreated] {
            assert!(!ledger.finish(finish(attempt.id, late, "late")).await.unwrap());
        }
        assert_eq!(ledger.take_over(attempt.id, lease(), None).await.unwrap(), None);
        let row = get(&ledger, attempt.id).await;
        assert_eq!((row.state, row.outcome_code.as_deref()), (state, Some("code")));
        assert!(ledger.finish(created(attempt.id)).await.unwrap());
        for late in [created, not_created, restartable] {
            assert!(!ledger.finish(late(attempt.id)).await.unwrap());
        }
        assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Created);
    }
    assert!(!ledger.finish(created(AttemptId::new(time(NOW)))).await.unwrap());
}

async fn an_unknown_attempt_is_due_at_once_and_can_be_resolved(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let ended = NOW + Duration::from_secs(5);
    backend.set_time(ended).await;
    assert!(ledger.finish(unknown(attempt.id)).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.state, row.worker), (AttemptState::Unknown, None));
    assert_eq!(
        (row.connection_ended_at, row.next_check_at),
        (Some(time(ended)), Some(time(ended)))
    );
    // The end of a connection never moves back, even if the clock does.
    backend.set_time(NOW).await;
    assert!(ledger.finish(unknown(attempt.id)).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.connection_ended_at, Some(time(ended)));
    assert!(ledger.claim_due(any_due(Uuid::now_v7(), 10)).await.unwrap().is_empty());
    backend.set_time(ended).await;
    assert_eq!(ledger.claim_due(any_due(Uuid::now_v7(), 10)).await.unwrap().len(), 1);
    assert!(ledger.finish(created(attempt.id)).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!(
        (row.state, row.next_check_at, row.lease_owner),
        (AttemptState::Created, None, None)
    );
    assert_eq!(row.connection_ended_at, Some(time(ended)));
    assert!(row.key.is_some());
}

async fn an_absence_is_void_once_the_call_is_repeated(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    assert!(ledger.finish(unknown(attempt.id)).await.unwrap());
    let reconciler = Uuid::now_v7();
    let claimed = ledger.claim_due(any_due(reconciler, 10)).await.unwrap();
    let read = claimed[0].connection_ended_at;
    assert_eq!(read, Some(time(NOW)));
    // During the reconciler's check, the client comes back.
    assert!(ledger.take_over(attempt.id, lease(), read).await.unwrap().is_some());
    let not_found = |ended| Basis::NotFound { connection_ended_at: ended };
    let absent = FinishAttempt { basis: not_found(read), ..not_created(attempt.id) };
    assert!(!ledger.finish(absent.clone()).await.unwrap());
    // Nor does the end of the check change when the next one is due.
    ledger.release(attempt.id, reconciler, after_failure(None)).await.unwrap();
    let row = get(&ledger, attempt.id).await;
    let until = Some(time(NOW + LEASE));
    assert_eq!((row.state, row.connection_ended_at), (AttemptState::Unknown, until));
    assert_eq!((row.next_check_at, row.check_count), (until, 0));
    backend.set_time(NOW + LEASE).await;
    assert_eq!(ledger.claim_due(any_due(reconciler, 10)).await.unwrap().len(), 1);
    let absent = FinishAttempt { basis: not_found(until), ..absent };
    assert!(ledger.finish(absent).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::NotCreated);

    // An attempt without an end of a call: nothing was marked since it was read.
    let open = unique(NOW);
    begin(&ledger, &open).await;
    let early = FinishAttempt { basis: not_found(until), ..not_created(open.id) };
    assert!(!ledger.finish(early.clone()).await.unwrap());
    assert!(ledger.finish(FinishAttempt { basis: not_found(None), ..early }).await.unwrap());
}

async fn concurrent_resolutions_of_one_attempt_keep_created(backend: Backend) {
    let ledger = backend.open().await;
    for _ in 0..20 {
        let attempt = keyed(1, NOW);
        begin(&ledger, &attempt).await;
        let all = [not_created(attempt.id), created(attempt.id), not_created(attempt.id)];
        for written in futures_util::future::join_all(all.map(|finish| ledger.finish(finish))).await
        {
            written.unwrap();
        }
        assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Created);
        ledger.delete_by_email(&key(1)).await.unwrap();
    }
}

async fn a_response_is_void_once_a_request_has_resumed_the_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let worked = |process, connection_ended_at, finish| {
        let basis =
            Basis::Worked { process, connection_ended_at, earlier_calls_end: None, restarts: 0 };
        FinishAttempt { basis, ..finish }
    };
    let other = Lease { process: Uuid::from_u128(99), ..lease() };
    for (number, resumer) in [(1, lease()), (2, other)] {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        let end = ledger.take_over(attempt.id, resumer, None).await.unwrap();
        assert_eq!(end, Some(time(NOW + resumer.lasts)));
        for late in [restartable(attempt.id), unknown(attempt.id), not_created(attempt.id)] {
            assert!(!ledger.finish(worked(PROCESS, None, late)).await.unwrap());
        }
        let row = get(&ledger, attempt.id).await;
        assert_eq!((row.state, row.connection_ended_at), (AttemptState::Unknown, end));
        let result = worked(resumer.process, end, not_created(attempt.id));
        assert!(ledger.finish(result).await.unwrap());
        // A user that its call created is true all the same.
        assert!(ledger.finish(created(attempt.id)).await.unwrap());
        assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Created);
    }
}

async fn a_response_is_void_once_the_attempt_has_started_again(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    assert!(ledger.finish(restartable(attempt.id)).await.unwrap());
    assert_eq!(ledger.restart(attempt.id, lease()).await.unwrap(), Some(1));
    let basis = |restarts| Basis::Worked {
        process: PROCESS,
        connection_ended_at: None,
        earlier_calls_end: None,
        restarts,
    };
    let late = FinishAttempt { basis: basis(0), ..restartable(attempt.id) };
    assert!(!ledger.finish(late).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Open);
    let own = FinishAttempt { basis: basis(1), ..unknown(attempt.id) };
    assert!(ledger.finish(own).await.unwrap());
}

async fn an_attempt_that_is_given_back_is_as_before(backend: Backend) {
    let ledger = backend.open().await;
    for (number, ended) in [(1, false), (2, true)] {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        if ended {
            ledger.finish(unknown(attempt.id)).await.unwrap();
        }
        let before = get(&ledger, attempt.id).await;
        let end = before.connection_ended_at;
        let taken = ledger.take_over(attempt.id, lease(), end).await.unwrap().unwrap();
        backend.set_time(NOW + Duration::from_secs(1)).await;
        let other = taken + Duration::from_millis(1);
        assert!(!ledger.give_back(before.clone(), other).await.unwrap());
        assert!(ledger.give_back(before.clone(), taken).await.unwrap());
        let row = get(&ledger, attempt.id).await;
        assert_eq!(Attempt { read_at: before.read_at, ..row }, before);
        assert!(!ledger.give_back(before, taken).await.unwrap());
        // The process that had it was only slow.
        let late = FinishAttempt { basis: WORKED, ..not_created(attempt.id) };
        assert_eq!(ledger.finish(late).await.unwrap(), !ended);
        backend.set_time(NOW).await;
    }
}

async fn attempts_of_a_user_are_found_with_expired_keys(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    begin(&ledger, &NewAttempt { email: attempt.email, ..keyed(2, NOW) }).await;
    backend.set_time(NOW + DAY).await;
    let email = DigestPair { current: attempt.email, previous: None };
    let find = Find::User(email, attempt.user_id.to_user_id());
    let found = ledger.find(find, 9).await.unwrap();
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [attempt.id]);
    assert_eq!(found[0].key.map(|key| key.binding), Some(attempt.key.records[0].binding));
}

/// Earlier versions left `auth0|` out.
async fn the_id_of_an_earlier_version_is_one_of_auth0(backend: Backend) {
    let ledger = backend.open().await;
    let (now, earlier) = (unique(NOW), unique(NOW));
    let earlier = NewAttempt { email: now.email, ..earlier };
    let whole = UserId::from_connection_id("MyConnection|7");
    for (attempt, stored) in [(&now, whole.as_str()), (&earlier, whole.connection_id())] {
        begin(&ledger, attempt).await;
        let user_id = Some(UserId::from_auth0(stored));
        let end = finish(attempt.id, Resolution::Created { user_id }, "created");
        assert!(ledger.finish(end).await.unwrap());
        assert_eq!(get(&ledger, attempt.id).await.created_user_id(), whole);
    }
    let email = DigestPair { current: now.email, previous: None };
    let found = ledger.find(Find::User(email, whole), 9).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
}
