//! The shared ledger: any number of replicas on one PostgreSQL database.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use uuid::Uuid;

use super::{
    Access, Attempt, AttemptId, BeginResult, Find, FinishAttempt, KeyLookup, Lease, Ledger,
    LedgerError, Migration, NewAttempt, OpenError, PendingAttempts, ProofUse, Swept,
};
use crate::clock::LedgerTime;
use crate::config::Synchronous;
use crate::digest::{Digest, DigestPair};

/// The settings of a PostgreSQL ledger.
#[derive(Debug)]
pub struct PostgresOptions {
    /// Its URL.
    pub url: SecretString,
    /// The durability that a commit waits for.
    pub synchronous: Synchronous,
    /// Applies pending migrations.
    pub migrate: bool,
    /// The kind of process.
    pub access: Access,
    /// The longest wait of a call for the database.
    pub timeout: Duration,
}

/// The ledger in PostgreSQL.
#[derive(Debug)]
pub struct Postgres;

#[expect(clippy::todo, unused_variables, reason = "under construction")]
impl Postgres {
    pub async fn open(options: PostgresOptions, secrets: DigestPair) -> Result<Self, OpenError> {
        todo!()
    }
}
#[expect(clippy::todo, unused_variables, reason = "under construction")]
pub async fn migrations(
    url: &SecretString,
    timeout: Duration,
) -> Result<Vec<Migration>, OpenError> {
    todo!()
}
#[expect(clippy::todo, unused_variables, reason = "under construction")]
pub async fn migrate(url: &SecretString, timeout: Duration) -> Result<usize, OpenError> {
    todo!()
}

#[async_trait]
#[expect(clippy::todo, unused_variables, reason = "under construction")]
impl Ledger for Postgres {
    async fn now(&self) -> Result<LedgerTime, LedgerError> {
        todo!()
    }
    async fn begin(&self, attempt: NewAttempt) -> Result<BeginResult, LedgerError> {
        todo!()
    }
    async fn restart(&self, id: AttemptId, lease: Lease) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn take_over(
        &self,
        id: AttemptId,
        lease: Lease,
        connection_ended_at: Option<LedgerTime>,
    ) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn free_key(&self, id: AttemptId) -> Result<(), LedgerError> {
        todo!()
    }
    async fn use_proof(&self, id: AttemptId, proof: ProofUse) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn finish(&self, finish: FinishAttempt) -> Result<bool, LedgerError> {
        todo!()
    }
    async fn find_key(&self, key: &DigestPair) -> Result<KeyLookup, LedgerError> {
        todo!()
    }
    async fn get(&self, id: AttemptId) -> Result<Option<Attempt>, LedgerError> {
        todo!()
    }
    async fn claim_due(
        &self,
        owner: Uuid,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Attempt>, LedgerError> {
        todo!()
    }
    async fn release(
        &self,
        id: AttemptId,
        owner: Uuid,
        next_check_in: Option<Duration>,
        failed: bool,
    ) -> Result<(), LedgerError> {
        todo!()
    }
    async fn sweep(&self, keep: Duration, batch: usize) -> Result<Swept, LedgerError> {
        todo!()
    }
    async fn find(&self, by: Find, limit: usize) -> Result<Vec<Attempt>, LedgerError> {
        todo!()
    }
    async fn delete_by_email(&self, email: &DigestPair) -> Result<usize, LedgerError> {
        todo!()
    }
    async fn count_pending(&self) -> Result<PendingAttempts, LedgerError> {
        todo!()
    }
    async fn heartbeat(&self, process: Uuid) -> Result<LedgerTime, LedgerError> {
        todo!()
    }
    async fn keeps_user_ids(&self, connection: &DigestPair) -> Result<Option<bool>, LedgerError> {
        todo!()
    }
    async fn record_user_ids(&self, connection: &Digest, keeps: bool) -> Result<(), LedgerError> {
        todo!()
    }
    async fn ping(&self) -> Result<(), LedgerError> {
        todo!()
    }
    async fn close(&self) {
        todo!()
    }
}
