//! Inspection of a ledger for `auth0-signup doctor`: what a service would find when it opens it.
//! Changes nothing, and creates nothing.

use super::secret_key::{SecretFile, existing_digests};
use super::{OpenError, postgres, sqlite};
use crate::config::{Database, LedgerSettings};

/// The state of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerInspection {
    /// True if no migration was applied yet.
    pub is_new: bool,
    /// The migrations that a service needs and that are not applied.
    pub pending: usize,
    /// The indexes that a service builds while it runs and that are not built.
    pub pending_indexes: usize,
    /// The tables, files or folders that this user cannot write, and the functions that it cannot call.
    pub unwritable: Vec<String>,
    /// True if this user may create tables.
    pub may_create: bool,
    /// The session at a server.
    pub session: Option<SessionInspection>,
}

/// The state of a session at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInspection {
    /// True if a pooler is in front, so that no session is the service's own.
    pub is_pooled: bool,
    /// True if the server takes no writes.
    pub is_read_only: bool,
    /// The isolation of transactions that name none.
    pub isolation: String,
}

/// Inspects the ledger that the settings name.
///
/// # Errors
/// When it cannot be reached or belongs to another deployment; see [`OpenError`].
pub async fn inspect(settings: &LedgerSettings) -> Result<LedgerInspection, OpenError> {
    let secrets = existing_digests(settings).ok().map(|digests| digests.check_value());
    match &settings.database {
        Database::Sqlite(path) => {
            let secret_file = SecretFile::new(path, settings);
            sqlite::inspect(path.clone(), secret_file, secrets).await
        }
        Database::Postgres(url) => Box::pin(postgres::inspect(url, settings, secrets)).await,
    }
}
