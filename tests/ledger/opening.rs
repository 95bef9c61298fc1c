//! Opening a ledger: after a restart, with another secret, with pending migrations.

use std::collections::HashSet;

use auth0_signup::ledger::{Access, AttemptState, OpenError, migrate, migrations};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::migrating;
use crate::rows::{
    DAY, LEASE, PROCESS, any_due, begin, binding, created, digest, existing, get, holder, key,
    keyed, lease, time, unique,
};

on_both! {
    a_restart_loses_nothing,
    another_secret_is_rejected_and_a_rotation_accepted,
    pending_migrations_are_reported_and_applied_once,
    concurrent_starts_migrate_once,
    an_old_database_with_rows_is_upgraded,
}

async fn a_restart_loses_nothing(backend: Backend) {
    let ledger = backend.open().await;
    let (open, done, taken_over) = (keyed(1, NOW), keyed(2, NOW), keyed(3, NOW));
    for attempt in [&open, &done, &taken_over] {
        begin(&ledger, attempt).await;
    }
    ledger.finish(created(done.id)).await.unwrap();
    assert!(ledger.take_over(taken_over.id, lease(), None).await.unwrap().is_some());
    ledger.heartbeat(PROCESS).await.unwrap();
    assert!(get(&ledger, open.id).await.worker.unwrap().is_alive);
    ledger.close().await;
    drop(ledger);

    let ledger = backend.open().await;
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(open.id));
    assert_eq!(get(&ledger, done.id).await.state, AttemptState::Created);
    // With SQLite, the new process knows that no other works on the open attempt.
    let worker = get(&ledger, open.id).await.worker.unwrap();
    assert_eq!((worker.process, worker.is_alive), (PROCESS, !backend.is_sqlite()));
    if !backend.is_sqlite() {
        backend.set_time(NOW + LEASE).await;
    }
    let claimed = ledger.claim_due(any_due(Uuid::now_v7(), 9)).await.unwrap();
    let claimed: HashSet<_> = claimed.iter().map(|row| row.id).collect();
    assert_eq!(claimed, HashSet::from([open.id, taken_over.id]));
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
                ledger.ping(false).await.unwrap();
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
    backend.settings.migrate = false;
    let all = migrations(&backend.settings).await.unwrap();
    assert!(all.iter().all(|migration| migration.applied_at.is_none()));
    let rejected = backend.try_open(Access::Service).await.map(drop);
    let pending = |count| matches!(rejected, Err(OpenError::Pending(pending)) if pending == count);
    assert!(pending(all.len()), "{rejected:?}");
    assert_eq!(migrate(&backend.settings, NOW).await.unwrap(), all.len());
    assert_eq!(migrate(&backend.settings, NOW + DAY).await.unwrap(), 0);
    let applied_at = migrations(&backend.settings).await.unwrap()[0].applied_at;
    // PostgreSQL's own clock shows another time.
    assert!(applied_at.is_some_and(|at| at == NOW || !backend.is_sqlite()), "{applied_at:?}");
    backend.open().await.ping(false).await.unwrap();
}

async fn concurrent_starts_migrate_once(backend: Backend) {
    let migrated = (0..8).map(|_| migrate(&backend.settings, NOW));
    let migrated = futures_util::future::join_all(migrated).await;
    let all = migrations(&backend.settings).await.unwrap().len();
    assert_eq!(migrated.into_iter().map(Result::unwrap).sum::<usize>(), all);
    backend.open().await.ping(false).await.unwrap();
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
        &migrating::BEFORE
    };
    let blob = |bytes: &[u8]| {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        if backend.is_sqlite() { format!("X'{hex}'") } else { format!("'\\x{hex}'") }
    };
    let uuid = |id: &Uuid| {
        if backend.is_sqlite() { blob(id.as_bytes()) } else { format!("'{id}'") }
    };
    let (pending, created) = (unique(NOW), keyed(1, NOW));
    let (now, lease, expiry) =
        (NOW.as_millis(), (NOW + LEASE).as_millis(), (NOW + DAY).as_millis());
    let old_binding = digest(0xb101_0000);
    let owner = Uuid::from_u128(7);
    let versions = (1..=files.len()).map(|version| format!("({version}, 'old', {now})"));
    let sql = format!(
        "{files}
         CREATE TABLE {table} (version integer PRIMARY KEY, name text NOT NULL,
           applied_at bigint NOT NULL);
         INSERT INTO {table} (version, name, applied_at) VALUES {versions};
         INSERT INTO attempts (id, email_digest, user_id, request_id, state, begun_at, due_at, owner,
           looks) VALUES ({pending_id}, {email}, '{pending_user}', 'request-1', 0, {now}, {lease},
           {owner}, 2);
         INSERT INTO attempts (id, email_digest, key_digest, binding_digest, key_expires_at, user_id,
           request_id, state, code, begun_at, finished_at) VALUES ({created_id}, {email}, {key},
           {binding}, {expiry}, '{created_user}', 'request-2', 1, 'created', {now}, {now});
         INSERT INTO redeemed_proofs (proof, attempt_id, expires_at)
           VALUES ({key}, {created_id}, {expiry});",
        files = files.concat(),
        table = if backend.is_sqlite() { "schema_migrations" } else { "auth0_signup_migrations" },
        versions = versions.collect::<Vec<_>>().join(", "),
        pending_id = uuid(pending.id.as_uuid()),
        created_id = uuid(created.id.as_uuid()),
        owner = uuid(&owner),
        email = blob(digest(1).as_bytes()),
        key = blob(digest(1).as_bytes()),
        binding = blob(old_binding.as_bytes()),
        pending_user = pending.user_id.as_str(),
        created_user = created.user_id.as_str(),
    );
    backend.execute(&sql).await;

    let ledger = backend.try_open(Access::Cli).await.unwrap();
    let row = get(&ledger, pending.id).await;
    assert_eq!((row.state, row.started_at), (AttemptState::Open, time(NOW)));
    assert_eq!((row.next_check_at, row.lease_owner), (Some(time(NOW + LEASE)), Some(owner)));
    assert_eq!((row.check_count, row.user_id), (2, pending.user_id));
    assert_eq!((row.outcome_code, row.key, row.worker, row.restarts), (None, None, None, 0));
    let row = get(&ledger, created.id).await;
    assert_eq!((row.state, row.outcome_code.as_deref()), (AttemptState::Created, Some("created")));
    // Of what the key was bound to, 16 bits are left.
    let stored = row.key.unwrap();
    assert_eq!((stored.binding, stored.expires_at), (binding(1), time(NOW + DAY)));
    assert_eq!(holder(&ledger, &key(1)).await.unwrap().key, Some(stored));
    assert_eq!(existing(&begin(&ledger, &keyed(1, NOW)).await), Some(created.id));
    assert!(!ledger.record_once(pending.id, key(1), DAY).await.unwrap());
    backend.set_time(NOW + LEASE).await;
    let claimed = ledger.claim_due(any_due(owner, 9)).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].check_count), (1, 2));
}
