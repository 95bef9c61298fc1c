//! The kinds of process that open the ledger, and the errors of opening it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Cause, LedgerError};

/// The kind of process that opens the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The service. One process at a time serves from an SQLite file, so attempts that an earlier
    /// one left open are due for a check at once.
    Service,
    /// An operator's command, which may run beside a service.
    Cli,
}

/// A failure to open the ledger.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves from this file, also after `ledger.lock_wait_ms`.
    #[error("another process serves from {}", path.display())]
    InUse {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The file does not exist. An operator's command does not create it: an empty ledger would
    /// report that nothing ever happened.
    #[error("there is no ledger at {}", path.display())]
    Absent {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The `.key` or `-wal` file of an earlier ledger is there, and its file is missing or empty.
    #[error(
        "the ledger {} is missing or empty, but an earlier one was here (its .key or -wal file is \
         left): restore it with `auth0-signup restore FILE`, or start a new one with --new-ledger",
        path.display()
    )]
    Lost {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The file holds the tables of another program.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The SQLite file.
        path: PathBuf,
    },
    /// The database was written with another secret.
    #[error(
        "the database was written with another secrets.key; set that one, or both as \
         docs/ledger.md describes"
    )]
    WrongSecret,
    /// It lacks something that the applied migrations have created, or holds data that this program did
    /// not write.
    #[error("the ledger is damaged: stop the service and restore a backup")]
    Damaged(#[source] Cause),
    /// Migrations are pending, and the settings forbid applying them.
    #[error("pending migrations: {0}; run `auth0-signup migrate`")]
    Pending(usize),
    /// It cannot be reached, read or created.
    #[error("the ledger cannot be opened")]
    Unavailable(#[source] Cause),
}

impl OpenError {
    pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(cause))
    }
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(_) => Self::unavailable(error),
            LedgerError::Corrupt(cause) => Self::Damaged(cause),
        }
    }
}

/// A part of the ledger that is missing although every migration is applied.
#[derive(Debug, thiserror::Error)]
#[error("it has no table or function {0}")]
pub(super) struct MissingPart(pub(super) String);

impl From<MissingPart> for OpenError {
    fn from(missing: MissingPart) -> Self {
        Self::Damaged(Arc::new(missing))
    }
}
