//! The shared ledger.

use std::time::Duration;

use secrecy::SecretString;

use super::{Candidates, Closed, Migration, OpenError};
use crate::config::Synchronous;
use crate::lifecycle::Lifecycle;

/// How the database is reached.
#[derive(Debug)]
pub struct Options {
    /// Its URL.
    pub url: SecretString,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Whether pending migrations are applied.
    pub migrate: bool,
    /// How many batches are written at once.
    pub writers: usize,
    /// How long a call waits for the database.
    pub timeout: Duration,
}

/// The ledger in PostgreSQL.
#[derive(Debug)]
pub struct Postgres;

impl Postgres {
    #[expect(missing_docs, reason = "stub")]
    pub async fn open(
        _: Options,
        _: Candidates,
        _: Duration,
        _: &Lifecycle,
    ) -> Result<super::sqlite::Sqlite, OpenError> {
        Err(OpenError::unavailable(Closed))
    }
}

#[expect(missing_docs, reason = "stub")]
pub async fn migrations(_: &SecretString, _: Duration) -> Result<Vec<Migration>, OpenError> {
    Err(OpenError::unavailable(Closed))
}

#[expect(missing_docs, reason = "stub")]
pub async fn migrate(_: &SecretString, _: Duration, _: Duration) -> Result<usize, OpenError> {
    Err(OpenError::unavailable(Closed))
}
