//! More work on an attempt that an earlier request left: restart, takeover, and the heartbeats that
//! show who still works.

use std::time::Duration;

use auth0_signup::ledger::{
    AttemptState, Basis, BeginResult, FinishAttempt, HEARTBEAT_LAPSE, Lease, RESTARTS, Worker,
};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, Finish, PROCESS, begin, created, existing, get, holder, key, keyed, lease, not_created,
    restartable, time, unknown, with_keys,
};

on_both! {
    a_restartable_attempt_restarts_three_times,
    only_a_restartable_attempt_with_a_living_key_restarts,
    of_two_restarts_one_succeeds,
    of_two_takeovers_one_succeeds,
    a_takeover_never_shortens_the_time_of_an_earlier_call,
    a_repeated_call_without_a_result_has_its_true_end,
    a_worker_is_alive_until_its_heartbeat_lapses,
    pin_support_is_kept_for_each_connection,
}

/// Another process, with a longer lease.
const OTHER: Lease =
    Lease { process: Uuid::from_u128(6), lasts: Duration::from_secs(40), synced: true };

async fn a_restartable_attempt_restarts_three_times(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = with_keys(&[1, 2], NOW);
    begin(&ledger, &attempt).await;
    let before = get(&ledger, attempt.id).await;
    for restarts in 1..=RESTARTS {
        assert_eq!(ledger.restart(attempt.id, OTHER).await.unwrap(), None, "it is open");
        assert!(ledger.finish(restartable(attempt.id)).await.unwrap());
        let row = get(&ledger, attempt.id).await;
        assert_eq!((row.state, row.worker), (AttemptState::NotCreated, None));
        assert_eq!(row.outcome_code.as_deref(), Some("upstream_busy"));
        assert!(row.key.is_some() && row.next_check_at.is_none());

        assert!(ledger.restart(attempt.id, OTHER).await.unwrap().is_some());
        let row = get(&ledger, attempt.id).await;
        assert_eq!((row.state, row.restarts), (AttemptState::Open, restarts));
        assert_eq!(row.worker.map(|worker| worker.process), Some(OTHER.process));
        assert_eq!(row.next_check_at, Some(time(NOW + OTHER.lasts)));
        assert_eq!(
            (row.outcome_code, row.finished_at, row.connection_ended_at),
            (None, None, None)
        );
        assert_eq!((row.started_at, row.key), (before.started_at, before.key));
    }
    ledger.finish(restartable(attempt.id)).await.unwrap();
    assert!(ledger.restart(attempt.id, OTHER).await.unwrap().is_none());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::NotCreated);
}

async fn only_a_restartable_attempt_with_a_living_key_restarts(backend: Backend) {
    let ledger = backend.open().await;
    let ends: [(u32, Finish); 3] = [(1, created), (2, unknown), (3, not_created)];
    for (number, end) in ends {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        let finish = end(attempt.id);
        let state = finish.resolution.state();
        ledger.finish(finish).await.unwrap();
        assert_eq!(ledger.restart(attempt.id, lease()).await.unwrap(), None, "{state:?}");
        assert_eq!(get(&ledger, attempt.id).await.state, state);
    }
    let attempt = keyed(4, NOW);
    begin(&ledger, &attempt).await;
    ledger.finish(restartable(attempt.id)).await.unwrap();
    backend.set_time(NOW + DAY).await;
    assert_eq!(ledger.restart(attempt.id, lease()).await.unwrap(), None, "its key has expired");
    assert_eq!(begin(&ledger, &keyed(4, NOW + DAY)).await, BeginResult::Started);
}

async fn of_two_restarts_one_succeeds(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    ledger.finish(restartable(attempt.id)).await.unwrap();
    let both = [lease(), OTHER].map(|lease| ledger.restart(attempt.id, lease));
    let both = futures_util::future::join_all(both).await;
    assert_eq!(both.into_iter().filter_map(Result::unwrap).count(), 1);
    assert_eq!(get(&ledger, attempt.id).await.restarts, 1);
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(attempt.id));
}

async fn of_two_takeovers_one_succeeds(backend: Backend) {
    let ledger = backend.open().await;
    for number in 0..20 {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        let mut expected = None;
        if number % 2 == 1 {
            ledger.finish(unknown(attempt.id)).await.unwrap();
            expected = Some(time(NOW));
        }
        let both = [lease(), OTHER].map(|lease| ledger.take_over(attempt.id, lease, expected));
        let both = futures_util::future::join_all(both).await;
        let both: Vec<_> = both.into_iter().map(Result::unwrap).collect();
        assert_eq!(both.iter().flatten().count(), 1, "{both:?}");
        let winner = if both[0].is_some() { lease() } else { OTHER };
        let row = get(&ledger, attempt.id).await;
        assert_eq!(row.state, AttemptState::Unknown);
        assert_eq!(row.outcome_code.as_deref(), Some("outcome_unknown"));
        assert_eq!(row.finished_at, Some(time(NOW)));
        assert_eq!(row.worker, Some(Worker { process: winner.process, is_alive: false }));
        let until = Some(time(NOW + winner.lasts));
        assert_eq!((row.connection_ended_at, row.next_check_at), (until, until));
        assert_eq!(holder(&ledger, &key(number)).await.map(|row| row.id), Some(attempt.id));
    }
}

async fn a_takeover_never_shortens_the_time_of_an_earlier_call(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let take_over = |lease, read| ledger.take_over(attempt.id, lease, read);
    let until = take_over(OTHER, None).await.unwrap();
    assert_eq!(until, Some(time(NOW + OTHER.lasts)));
    assert_eq!(take_over(lease(), None).await.unwrap(), None);
    assert_eq!(take_over(lease(), Some(time(NOW))).await.unwrap(), None);
    // Each call has an end of its own.
    let next = take_over(lease(), until).await.unwrap();
    let until = until.map(|until| until + Duration::from_millis(1));
    assert_eq!(next, until);
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.connection_ended_at, row.next_check_at), (until, until));
    assert_eq!(row.worker.map(|worker| worker.process), Some(PROCESS));
    // Its own report that the outcome is unknown ends no earlier call either.
    assert!(ledger.finish(unknown(attempt.id)).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.connection_ended_at, row.next_check_at, row.worker), (until, until, None));
}

async fn a_repeated_call_without_a_result_has_its_true_end(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    ledger.finish(unknown(attempt.id)).await.unwrap();
    let ended = Some(time(NOW));
    // Ends with an unknown outcome what was taken over until then. Returns the recorded end.
    let end = async |connection_ended_at, earlier_calls_end| {
        let process = PROCESS;
        let basis = Basis::Worked { process, connection_ended_at, earlier_calls_end, restarts: 0 };
        assert!(ledger.finish(FinishAttempt { basis, ..unknown(attempt.id) }).await.unwrap());
        let row = get(&ledger, attempt.id).await;
        assert_eq!(row.next_check_at, row.connection_ended_at);
        row.connection_ended_at
    };
    // In the same millisecond each call has an end of its own all the same.
    let until = ledger.take_over(attempt.id, lease(), ended).await.unwrap();
    let first = end(until, ended).await;
    assert_eq!(first, Some(time(NOW + Duration::from_millis(1))));

    let later = NOW + Duration::from_secs(1);
    backend.set_time(later).await;
    let until = ledger.take_over(attempt.id, lease(), first).await.unwrap();
    let second = end(until, first).await;
    assert_eq!(second, Some(time(later)));

    // Another process had taken it over, and may still call.
    let other = ledger.take_over(attempt.id, OTHER, second).await.unwrap();
    assert_eq!(other, Some(time(later + OTHER.lasts)));
    let until = ledger.take_over(attempt.id, lease(), other).await.unwrap();
    let third = end(until, other).await;
    assert_eq!(third, other.map(|other| other + Duration::from_millis(1)));
}

async fn a_worker_is_alive_until_its_heartbeat_lapses(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let is_alive = async || {
        let found = holder(&ledger, &key(1)).await.unwrap().worker.unwrap();
        let got = get(&ledger, attempt.id).await.worker.unwrap();
        assert_eq!((found, found.process), (got, PROCESS));
        found.is_alive
    };
    ledger.heartbeat(OTHER.process).await.unwrap();
    assert!(!is_alive().await, "another process is");
    let beat = NOW + Duration::from_millis(500);
    for start in [NOW, beat] {
        backend.set_time(start).await;
        assert_eq!(ledger.heartbeat(PROCESS).await.unwrap(), time(start));
        assert!(is_alive().await);
    }
    backend.set_time(beat + HEARTBEAT_LAPSE.saturating_sub(Duration::from_millis(1))).await;
    assert!(is_alive().await);
    backend.set_time(beat + HEARTBEAT_LAPSE).await;
    assert!(!is_alive().await);
    ledger.heartbeat(PROCESS).await.unwrap();
    assert!(is_alive().await);
    // A clock that is set back makes no process live longer.
    let beat = beat + HEARTBEAT_LAPSE;
    backend.set_time(beat.saturating_sub(HEARTBEAT_LAPSE) + Duration::from_millis(1)).await;
    assert!(is_alive().await);
    backend.set_time(beat.saturating_sub(HEARTBEAT_LAPSE)).await;
    assert!(!is_alive().await);
}

async fn pin_support_is_kept_for_each_connection(backend: Backend) {
    let ledger = backend.open().await;
    let keeps = async |pair| ledger.keeps_user_ids(&pair).await.unwrap();
    assert_eq!(keeps(key(1)).await, None);
    ledger.record_user_ids(key(1), true, true).await.unwrap();
    ledger.record_user_ids(key(2), false, true).await.unwrap();
    assert_eq!((keeps(key(1)).await, keeps(key(2)).await), (Some(true), Some(false)));
    ledger.record_user_ids(key(1), false, true).await.unwrap();
    ledger.record_user_ids(key(2), true, true).await.unwrap();
    assert_eq!((keeps(key(1)).await, keeps(key(2)).await), (Some(false), Some(true)));
    // Under a new secret the record of the previous one counts, until there is another.
    let rotated = auth0_signup::digest::DigestPair { previous: Some(key(1).current), ..key(3) };
    assert_eq!((keeps(rotated).await, keeps(key(3)).await), (Some(false), None));
    // What was read and is carried over replaces nothing that was learned meanwhile.
    ledger.record_user_ids(rotated, true, false).await.unwrap();
    assert_eq!((keeps(key(1)).await, keeps(key(3)).await), (Some(false), Some(true)));
    // From then on there is one under each, whichever secret is the only one later.
    ledger.record_user_ids(rotated, true, true).await.unwrap();
    for pair in [rotated, key(1), key(3)] {
        assert_eq!(keeps(pair).await, Some(true));
    }
    assert_eq!(keeps(key(4)).await, None);
}
