//! The tests that run on both databases.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::digest::DigestPair;
use auth0_signup::domain::TermsVersion;
use auth0_signup::ledger::{
    Access, Attempt, AttemptId, AttemptState, Basis, BeginResult, Find, FinishAttempt, Ledger,
    NewAttempt, OpenError, PendingAttempts, ProofUse, Resolution,
};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::rows::{
    DAY, DEADLINE, created, digest, existing, finish, key, keyed, keyless, not_created,
};

macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            use crate::backend::Backend;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(Backend::sqlite()).await;
            })*
        }
        mod postgres {
            use crate::backend::Backend;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(Backend::postgres().await).await;
            })*
        }
    };
}

on_both! {
    a_row_comes_back_as_it_was_written,
    fifty_concurrent_duplicates_start_one_attempt,
    a_key_returns_its_attempt_across_batches,
    concurrent_attempts_and_resolutions_are_all_written,
    only_a_freed_key_starts_a_new_attempt,
    an_expired_key_is_not_found_and_starts_a_new_attempt,
    a_key_under_the_previous_secret_is_found,
    a_resolved_attempt_changes_only_to_created,
    an_unknown_attempt_is_due_after_its_call_and_can_be_resolved,
    an_absence_is_void_once_the_call_is_repeated,
    concurrent_resolutions_of_one_attempt_keep_created,
    two_owners_never_lease_the_same_attempt,
    an_expired_lease_is_taken_over_and_cannot_be_released,
    a_released_attempt_is_due_at_the_given_time_or_never,
    pending_attempts_are_counted_with_the_age_of_the_oldest,
    a_sweep_works_in_batches_and_keeps_recent_rows,
    deleting_by_email_removes_the_attempts_of_that_address_only,
    operators_find_by_request_state_and_address,
    a_restart_loses_nothing,
    another_secret_is_rejected_and_a_rotation_accepted,
    pending_migrations_are_reported_and_applied_once,
    concurrent_starts_migrate_once,
    an_old_database_with_rows_is_upgraded,
    a_closed_ledger_rejects_every_call,
}

async fn begin(ledger: &Arc<dyn Ledger>, attempt: &NewAttempt) -> BeginResult {
    ledger.begin(attempt.clone()).await.unwrap()
}

async fn get(ledger: &Arc<dyn Ledger>, id: AttemptId) -> Attempt {
    ledger.get(id).await.unwrap().unwrap()
}

async fn a_row_comes_back_as_it_was_written(backend: Backend) {
    let ledger = backend.open().await;
    let terms = TermsVersion::parse("2026-11");
    let new = NewAttempt { terms: terms.clone(), ..keyed(1, NOW) };
    assert_eq!(begin(&ledger, &new).await, BeginResult::Started);
    let without = keyless(NOW);
    begin(&ledger, &without).await;
    assert_eq!(get(&ledger, without.id).await.terms, None);
    let row = get(&ledger, new.id).await;
    assert_eq!((row.id, row.email, row.state), (new.id, new.email, AttemptState::Open));
    assert_eq!((&row.user_id, &row.request_id), (&new.user_id, &new.request_id));
    assert_eq!((row.started_at, row.next_check_at), (NOW, Some(NOW + DEADLINE)));
    assert_eq!(
        (row.outcome_code, row.finished_at, row.check_count, row.lease_owner),
        (None, None, 0, None)
    );
    let stored = row.key.unwrap();
    assert_eq!((stored.key, stored.binding), (digest(1), digest(1_000)));
    assert_eq!(stored.expires_at, NOW + DAY);

    let end = finish(new.id, Resolution::Created { user_id: Some("other".to_owned()) }, "created");
    assert!(ledger.finish(end.clone()).await.unwrap());
    let row = get(&ledger, new.id).await;
    assert_eq!((row.state, row.outcome_code.as_deref()), (AttemptState::Created, Some("created")));
    assert_eq!((row.auth0_user_id.as_deref(), row.terms), (Some("other"), terms));
    assert_eq!(row.auth0_request_id, end.auth0_request_id);
    assert_eq!((row.finished_at, row.next_check_at), (Some(end.finished_at), None));
    assert_eq!(ledger.get(AttemptId::new(NOW)).await.unwrap(), None);
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
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(first.id));
    let found = ledger.find_key(&key(1), NOW).await.unwrap().unwrap();
    assert_eq!(found, get(&ledger, first.id).await);
    assert_eq!(ledger.find_key(&key(2), NOW).await.unwrap(), None);
}

async fn concurrent_attempts_and_resolutions_are_all_written(backend: Backend) {
    let ledger = backend.open().await;
    let tasks = (0..400).map(|number| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            // Half of them without a key, a quarter twice with the same.
            let attempt = if number % 2 == 0 { keyed(number / 4, NOW) } else { keyless(NOW) };
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
    let rows = ledger.find(Find::State(AttemptState::Created), 1_000).await.unwrap();
    assert_eq!(rows.len(), 300);
}

async fn only_a_freed_key_starts_a_new_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let unknown = Resolution::Unknown { connection_ended_at: NOW };
    let kept = [Resolution::Created { user_id: None }, Resolution::Exists, unknown];
    for (number, resolution) in (1..).zip(kept) {
        let attempt = keyed(number, NOW);
        begin(&ledger, &attempt).await;
        ledger.finish(finish(attempt.id, resolution, "code")).await.unwrap();
        assert_eq!(existing(&begin(&ledger, &keyed(number, NOW)).await), Some(attempt.id));
    }
    let attempt = keyed(9, NOW);
    begin(&ledger, &attempt).await;
    assert!(ledger.finish(not_created(attempt.id)).await.unwrap());
    assert_eq!(ledger.find_key(&key(9), NOW).await.unwrap(), None);
    // A duplicate request that waited asks by id, and gets the outcome.
    let row = get(&ledger, attempt.id).await;
    assert_eq!(
        (row.state, row.outcome_code.as_deref()),
        (AttemptState::NotCreated, Some("upstream_busy"))
    );
    assert_eq!(row.key, None);
    assert_eq!(begin(&ledger, &keyed(9, NOW)).await, BeginResult::Started);
}

async fn an_expired_key_is_not_found_and_starts_a_new_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let last = NOW + DAY.saturating_sub(Duration::from_millis(1));
    assert!(ledger.find_key(&key(1), last).await.unwrap().is_some());
    assert_eq!(existing(&begin(&ledger, &keyed(1, last)).await), Some(attempt.id));
    assert_eq!(ledger.find_key(&key(1), NOW + DAY).await.unwrap(), None);
    let again = keyed(1, NOW + DAY);
    assert_eq!(begin(&ledger, &again).await, BeginResult::Started);
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW + DAY)).await), Some(again.id));
    assert_eq!(get(&ledger, attempt.id).await.key, None);
}

async fn a_key_under_the_previous_secret_is_found(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let rotated = DigestPair { current: digest(2), previous: Some(digest(1)) };
    assert!(ledger.find_key(&rotated, NOW).await.unwrap().is_some());
    let mut again = keyed(2, NOW);
    again.key.as_mut().unwrap().key = rotated;
    assert_eq!(existing(&begin(&ledger, &again).await), Some(attempt.id));
    ledger.finish(not_created(attempt.id)).await.unwrap();
    assert_eq!(begin(&ledger, &again).await, BeginResult::Started);
}

async fn a_resolved_attempt_changes_only_to_created(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    assert!(ledger.finish(not_created(attempt.id)).await.unwrap());
    let late = finish(attempt.id, Resolution::Exists, "email_taken");
    assert!(!ledger.finish(late).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::NotCreated);
    assert!(ledger.finish(created(attempt.id)).await.unwrap());
    assert!(!ledger.finish(not_created(attempt.id)).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Created);
    assert!(!ledger.finish(created(AttemptId::new(NOW))).await.unwrap());
}

async fn an_unknown_attempt_is_due_after_its_call_and_can_be_resolved(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let ended = NOW + Duration::from_secs(5);
    let unknown = Resolution::Unknown { connection_ended_at: ended };
    let unknown = finish(attempt.id, unknown, "outcome_unknown");
    assert!(ledger.finish(unknown.clone()).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.connection_ended_at, row.next_check_at), (Some(ended), Some(ended)));
    let claim = |now| ledger.claim_due(Uuid::now_v7(), now, DEADLINE, 10);
    assert!(claim(unknown.finished_at).await.unwrap().is_empty());
    assert_eq!(claim(ended).await.unwrap().len(), 1);
    assert!(ledger.finish(created(attempt.id)).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!(
        (row.state, row.next_check_at, row.lease_owner),
        (AttemptState::Created, None, None)
    );
    assert_eq!(row.connection_ended_at, Some(ended));
    assert!(row.key.is_some());
}

async fn an_absence_is_void_once_the_call_is_repeated(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyed(1, NOW);
    begin(&ledger, &attempt).await;
    let unknown = |ended| {
        let resolution = Resolution::Unknown { connection_ended_at: ended };
        finish(attempt.id, resolution, "outcome_unknown")
    };
    assert!(ledger.finish(unknown(NOW)).await.unwrap());
    let (reconciler, due) = (Uuid::now_v7(), NOW + DEADLINE);
    assert_eq!(ledger.claim_due(reconciler, due, DEADLINE, 10).await.unwrap().len(), 1);
    // During the reconciler's check, the client comes back.
    assert!(ledger.finish(unknown(due + DEADLINE)).await.unwrap());
    let not_found = |ended| Basis::NotFound { connection_ended_at: Some(ended) };
    let absent = FinishAttempt { basis: not_found(NOW), ..not_created(attempt.id) };
    assert!(!ledger.finish(absent.clone()).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.state, row.connection_ended_at), (AttemptState::Unknown, Some(due + DEADLINE)));
    assert_eq!(ledger.claim_due(reconciler, due + DEADLINE, DEADLINE, 10).await.unwrap().len(), 1);
    let absent = FinishAttempt { basis: not_found(due + DEADLINE), ..absent };
    assert!(ledger.finish(absent).await.unwrap());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::NotCreated);
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

async fn two_owners_never_lease_the_same_attempt(backend: Backend) {
    let ledger = backend.open().await;
    for _ in 0..100 {
        begin(&ledger, &keyless(NOW)).await;
    }
    let claim = |now| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let owner = Uuid::now_v7();
            let claimed = ledger.claim_due(owner, now, DEADLINE, 20).await.unwrap();
            assert!(
                claimed.iter().all(|row| row.lease_owner == Some(owner) && row.check_count == 1)
            );
            claimed.into_iter().map(|row| row.id).collect::<Vec<_>>()
        })
    };
    // Until the first lease ends, nobody else gets them.
    assert!(claim(NOW).await.unwrap().is_empty());
    let claims: Vec<_> = (0..8).map(|_| claim(NOW + DEADLINE)).collect();
    let mut seen = Vec::new();
    for claimed in claims {
        let claimed = claimed.await.unwrap();
        assert!(claimed.len() <= 20);
        seen.extend(claimed);
    }
    // Concurrent claims may skip some attempts, but none is leased twice.
    loop {
        let rest = claim(NOW + DEADLINE).await.unwrap();
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
    let attempt = keyless(NOW);
    begin(&ledger, &attempt).await;
    let (dead, heir) = (Uuid::now_v7(), Uuid::now_v7());
    let due = NOW + DEADLINE;
    assert_eq!(ledger.claim_due(dead, due, DEADLINE, 9).await.unwrap().len(), 1);
    let early = due + DEADLINE.saturating_sub(Duration::from_millis(1));
    assert!(ledger.claim_due(heir, early, DEADLINE, 9).await.unwrap().is_empty());
    let claimed = ledger.claim_due(heir, due + DEADLINE, DEADLINE, 9).await.unwrap();
    assert_eq!((claimed[0].lease_owner, claimed[0].check_count), (Some(heir), 2));
    ledger.release(attempt.id, dead, Some(NOW)).await.unwrap();
    assert_eq!(get(&ledger, attempt.id).await, claimed[0]);
}

async fn a_released_attempt_is_due_at_the_given_time_or_never(backend: Backend) {
    let ledger = backend.open().await;
    let attempt = keyless(NOW);
    begin(&ledger, &attempt).await;
    let owner = Uuid::now_v7();
    let due = NOW + DEADLINE;
    ledger.claim_due(owner, due, DEADLINE, 9).await.unwrap();
    let next = due + Duration::from_mins(5);
    ledger.release(attempt.id, owner, Some(next)).await.unwrap();
    let early = next.saturating_sub(Duration::from_millis(1));
    assert!(ledger.claim_due(owner, early, DEADLINE, 9).await.unwrap().is_empty());
    assert_eq!(ledger.claim_due(owner, next, DEADLINE, 9).await.unwrap().len(), 1);
    ledger.release(attempt.id, owner, None).await.unwrap();
    assert!(ledger.claim_due(owner, next + DAY, DEADLINE, 9).await.unwrap().is_empty());
    assert_eq!(get(&ledger, attempt.id).await.state, AttemptState::Open);
}

async fn pending_attempts_are_counted_with_the_age_of_the_oldest(backend: Backend) {
    let ledger = backend.open().await;
    let later = NOW + Duration::from_secs(100);
    assert_eq!(ledger.count_pending(later).await.unwrap(), PendingAttempts::default());
    let attempts = [2, 0, 1, 3].map(|second| keyless(NOW + Duration::from_secs(second)));
    for attempt in &attempts {
        begin(&ledger, attempt).await;
    }
    let counted = async || {
        let PendingAttempts { attempts, oldest } = ledger.count_pending(later).await.unwrap();
        (attempts, oldest.as_secs())
    };
    assert_eq!(counted().await, (4, 100));
    // One is resolved, one unknown and then leased, the others are open.
    ledger.finish(created(attempts[1].id)).await.unwrap();
    assert_eq!(counted().await, (3, 99));
    let unknown = Resolution::Unknown { connection_ended_at: NOW };
    ledger.finish(finish(attempts[2].id, unknown, "outcome_unknown")).await.unwrap();
    let owner = Uuid::from_u128(7);
    let claimed = ledger.claim_due(owner, later, DAY, 1).await.unwrap();
    assert_eq!(claimed[0].id, attempts[2].id);
    assert_eq!(counted().await, (3, 99));
    // No check follows.
    ledger.release(attempts[2].id, owner, None).await.unwrap();
    assert_eq!(counted().await, (2, 98));
}

async fn a_sweep_works_in_batches_and_keeps_recent_rows(backend: Backend) {
    let ledger = backend.open().await;
    for number in 0..25 {
        begin(&ledger, &keyed(number, NOW)).await;
        begin(&ledger, &keyed(100 + number, NOW + DAY)).await;
    }
    let keep = 30 * DAY;
    let first = ledger.sweep(NOW + DAY, keep, 10).await.unwrap();
    assert_eq!((first.attempts, first.keys), (0, 10));
    assert!(!first.is_done(10));
    let all = ledger.sweep(NOW + DAY, keep, 100).await.unwrap();
    assert_eq!((all.attempts, all.keys), (0, 15));
    assert!(all.is_done(100));
    let oldest = ledger.sweep(NOW + keep + Duration::from_millis(1), keep, 20).await.unwrap();
    assert_eq!((oldest.attempts, oldest.keys), (20, 20));
    let rest = ledger.sweep(NOW + keep + Duration::from_millis(1), keep, 20).await.unwrap();
    assert_eq!((rest.attempts, rest.keys), (5, 5));
    let left = ledger.find(Find::All, 100).await.unwrap();
    assert_eq!(left.len(), 25);
    assert!(left.iter().all(|row| row.started_at == NOW + DAY && row.key.is_none()));
}

async fn deleting_by_email_removes_the_attempts_of_that_address_only(backend: Backend) {
    let ledger = backend.open().await;
    for number in 0..6 {
        let attempt = NewAttempt { email: digest(number % 3), ..keyed(number, NOW) };
        begin(&ledger, &attempt).await;
    }
    let both = DigestPair { current: digest(0), previous: Some(digest(1)) };
    assert_eq!(ledger.delete_by_email(&both).await.unwrap(), 4);
    assert_eq!(ledger.delete_by_email(&both).await.unwrap(), 0);
    let left = ledger.find(Find::All, 100).await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|row| row.email == digest(2)));
    assert_eq!(begin(&ledger, &keyed(0, NOW)).await, BeginResult::Started);
}

async fn operators_find_by_request_state_and_address(backend: Backend) {
    let ledger = backend.open().await;
    let at = |millis| NOW + Duration::from_millis(millis);
    let first = keyless(at(0));
    let second = NewAttempt { email: digest(2), request_id: "request-2".into(), ..keyless(at(1)) };
    let third = keyless(at(2));
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
}

async fn a_restart_loses_nothing(backend: Backend) {
    let ledger = backend.open().await;
    let (open, done) = (keyed(1, NOW), keyed(2, NOW));
    begin(&ledger, &open).await;
    begin(&ledger, &done).await;
    ledger.finish(created(done.id)).await.unwrap();
    ledger.close().await;
    drop(ledger);

    let ledger = backend.open().await;
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(open.id));
    assert_eq!(get(&ledger, done.id).await.state, AttemptState::Created);
    // With SQLite, the new process knows that no other works on the open attempt.
    let due = if backend.is_sqlite() { NOW } else { NOW + DEADLINE };
    let claimed = ledger.claim_due(Uuid::now_v7(), due, DEADLINE, 9).await.unwrap();
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), [open.id]);
}

async fn another_secret_is_rejected_and_a_rotation_accepted(mut backend: Backend) {
    backend.open().await.close().await;
    let steps = [
        ("l", None, false),
        ("k", Some("l"), true),
        ("l", Some("k"), true),
        ("k", None, true),
        ("l", Some("k"), true),
        ("l", None, true),
        ("k", None, false),
        ("m", Some("k"), false),
    ];
    for (current, previous, opens) in steps {
        backend.set_secrets(current, previous);
        match backend.try_open(Access::Service).await {
            Ok(ledger) => {
                assert!(opens, "{current} {previous:?}");
                ledger.ping(NOW).await.unwrap();
                ledger.close().await;
            }
            Err(error) => {
                assert!(!opens, "{current} {previous:?}: {error}");
                assert!(matches!(error, OpenError::WrongSecret), "{error}");
            }
        }
    }
}

async fn pending_migrations_are_reported_and_applied_once(mut backend: Backend) {
    use auth0_signup::ledger::{migrate, migrations};
    backend.settings.migrate = false;
    let all = migrations(&backend.settings).await.unwrap();
    assert!(all.iter().all(|migration| migration.applied_at.is_none()));
    let rejected = backend.try_open(Access::Service).await.map(drop);
    let pending = |count| matches!(rejected, Err(OpenError::Pending(pending)) if pending == count);
    assert!(pending(all.len()), "{rejected:?}");
    assert_eq!(migrate(&backend.settings, NOW).await.unwrap(), all.len());
    assert_eq!(migrate(&backend.settings, NOW + DAY).await.unwrap(), 0);
    assert_eq!(migrations(&backend.settings).await.unwrap()[0].applied_at, Some(NOW));
    backend.open().await.ping(NOW).await.unwrap();
}

async fn concurrent_starts_migrate_once(backend: Backend) {
    let opened = (0..8).map(|_| backend.try_open(Access::Cli));
    for opened in futures_util::future::join_all(opened).await {
        opened.unwrap().ping(NOW).await.unwrap();
    }
}

/// The migrations before the columns were renamed, with rows as a service of that time wrote them.
async fn an_old_database_with_rows_is_upgraded(backend: Backend) {
    let files: &[&str] = if backend.is_sqlite() {
        &[
            include_str!("../../migrations/sqlite/0001_attempts.sql"),
            include_str!("../../migrations/sqlite/0002_redeemed_proofs.sql"),
            include_str!("../../migrations/sqlite/0003_terms.sql"),
        ]
    } else {
        &[
            include_str!("../../migrations/postgres/0001_attempts.sql"),
            include_str!("../../migrations/postgres/0002_redeemed_proofs.sql"),
            include_str!("../../migrations/postgres/0003_limits.sql"),
            include_str!("../../migrations/postgres/0004_terms.sql"),
        ]
    };
    let blob = |bytes: &[u8]| {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        if backend.is_sqlite() { format!("X'{hex}'") } else { format!("'\\x{hex}'") }
    };
    let uuid = |id: &Uuid| {
        if backend.is_sqlite() { blob(id.as_bytes()) } else { format!("'{id}'") }
    };
    let (pending, created) = (keyless(NOW), keyed(1, NOW));
    let (now, lease, expiry) =
        (NOW.as_millis(), (NOW + DEADLINE).as_millis(), (NOW + DAY).as_millis());
    let owner = Uuid::from_u128(7);
    let versions = (1..=files.len()).map(|version| format!("({version}, 'old', {now})"));
    let sql = format!(
        "{files}
         CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,
           applied_at bigint NOT NULL);
         INSERT INTO schema_migrations (version, name, applied_at) VALUES {versions};
         INSERT INTO attempts (id, email_digest, user_id, request_id, state, begun_at, due_at, owner,
           looks) VALUES ({pending_id}, {email}, '{pending_user}', 'request-1', 0, {now}, {lease},
           {owner}, 2);
         INSERT INTO attempts (id, email_digest, key_digest, binding_digest, key_expires_at, user_id,
           request_id, state, code, begun_at, finished_at) VALUES ({created_id}, {email}, {key},
           {key}, {expiry}, '{created_user}', 'request-2', 1, 'created', {now}, {now});
         INSERT INTO redeemed_proofs (proof, attempt_id, expires_at)
           VALUES ({key}, {created_id}, {expiry});",
        files = files.concat(),
        versions = versions.collect::<Vec<_>>().join(", "),
        pending_id = uuid(pending.id.as_uuid()),
        created_id = uuid(created.id.as_uuid()),
        owner = uuid(&owner),
        email = blob(digest(1).as_bytes()),
        key = blob(digest(1).as_bytes()),
        pending_user = pending.user_id.as_str(),
        created_user = created.user_id.as_str(),
    );
    backend.execute(&sql).await;

    let ledger = backend.try_open(Access::Cli).await.unwrap();
    let row = get(&ledger, pending.id).await;
    assert_eq!((row.state, row.started_at, row.outcome_code), (AttemptState::Open, NOW, None));
    assert_eq!((row.next_check_at, row.lease_owner), (Some(NOW + DEADLINE), Some(owner)));
    assert_eq!((row.check_count, row.user_id), (2, pending.user_id));
    let row = get(&ledger, created.id).await;
    assert_eq!((row.state, row.outcome_code.as_deref()), (AttemptState::Created, Some("created")));
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(created.id));
    let proof = ProofUse { proof: digest(1), expires_at: NOW + DAY };
    assert!(!ledger.use_proof(pending.id, proof).await.unwrap());
    let claimed = ledger.claim_due(owner, NOW + DEADLINE, DEADLINE, 9).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].check_count), (1, 3));
}

async fn a_closed_ledger_rejects_every_call(backend: Backend) {
    let ledger = backend.open().await;
    ledger.close().await;
    ledger.close().await;
    assert!(ledger.begin(keyless(NOW)).await.is_err());
    assert!(ledger.get(AttemptId::new(NOW)).await.is_err());
    assert!(ledger.find(Find::All, 1).await.is_err());
    assert!(ledger.ping(NOW).await.is_err());
}
