//! The check that a sign-up would work: the same statements, rolled back.

use std::time::Duration;

use rusqlite::{Connection, Result};
use uuid::Uuid;

use super::rows::execute;
use super::{attempts, upkeep};
use crate::clock::LedgerTime;
use crate::digest::Digest;
use crate::ledger::{
    AdmissionCost, AttemptId, Binding, KeyRecord, Lease, NewAttempt, NewKey, PinnedUserId,
    ProofUse, Urgency,
};

/// The lifetime of a key and a proof that are rolled back.
const LIFETIME: Duration = Duration::from_mins(1);

/// Starts an attempt, reads it and rolls it back, then writes. Returns `false` if the secret
/// recorded at the start is gone.
///
/// The ids are those of an attempt that starts now, so the pages are those of the next sign-up.
pub(super) fn ping(connection: &Connection, now: LedgerTime, secret: &Digest) -> Result<bool> {
    execute(connection, "SAVEPOINT probe", [])?;
    let probed = probe(connection, now);
    let undone = execute(connection, "ROLLBACK TO probe", [])
        .and_then(|_| execute(connection, "RELEASE probe", []));
    // First: an error that has ended the whole transaction leaves no savepoint to undo.
    probed?;
    undone?;
    upkeep::ping(connection, now, secret)
}

fn probe(connection: &Connection, now: LedgerTime) -> Result<()> {
    let attempt = attempt(now);
    upkeep::heartbeat(connection, now, attempt.lease.process)?;
    attempts::begin(connection, now, &attempt)?;
    attempts::get(connection, now, attempt.id)?;
    Ok(())
}

fn attempt(now: LedgerTime) -> NewAttempt {
    let digest = || Digest::from_bytes(rand::random());
    let record = KeyRecord { key: digest(), binding: Binding::from_digest(&digest()) };
    NewAttempt {
        id: AttemptId::new(now),
        email: digest(),
        key: NewKey { records: vec![record], lifetime: LIFETIME },
        user_id: PinnedUserId::from_digest(&digest()),
        request_id: "probe".to_owned(),
        terms: None,
        tenant_started_at: None,
        lease: Lease { process: Uuid::nil(), lasts: LIFETIME, synced: false },
        urgency: Urgency::Awaited,
        admission_cost: AdmissionCost {
            charges: Vec::new(),
            proof: Some(ProofUse { proof: digest(), lasts: LIFETIME }),
        },
    }
}
