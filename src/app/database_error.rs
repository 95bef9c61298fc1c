//! A database that cannot be opened, explained: where it is, why, and what to change.

use std::error::Error as StdError;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;
use secrecy::SecretString;
use tokio_postgres::config::{Config, Host};

use super::StartError;
use crate::config::{Database, LedgerSettings, PostgresUrl};
use crate::ledger::{KeyError, OpenError, PostgresError};

/// The database of the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// This user may not write where the SQLite file is.
    #[error(
        "user {user} cannot write to {}, which belongs to user {owner}: give it to user {user} \
         (chown), or name another place in database.url (DATABASE_URL)",
        path.display()
    )]
    File {
        /// The user that this process runs as.
        user: u32,
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
    /// PostgreSQL rejects this client: the user, the password or the database's name is wrong.
    #[error("PostgreSQL at {address} rejects what database.url (DATABASE_URL) names")]
    Rejected {
        /// Host and port.
        address: String,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
    /// PostgreSQL does not respond in time.
    #[error("PostgreSQL at {address} did not respond within {timeout:?} (ledger.timeout_ms)")]
    NoResponse {
        /// Host and port.
        address: String,
        /// The timeout.
        timeout: Duration,
    },
    /// PostgreSQL cannot be reached.
    #[error("PostgreSQL at {address} cannot be reached")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
}

impl DatabaseError {
    /// Explains an error of opening the ledger. Returns other errors unchanged.
    pub fn explain(settings: &LedgerSettings, error: impl Into<StartError>) -> StartError {
        let error = error.into();
        let is_of_database = matches!(
            &error,
            StartError::Secret(KeyError::File { .. })
                | StartError::Ledger(OpenError::Unavailable(_))
        );
        match &settings.database {
            Database::Sqlite(path) if is_of_database && is_denied(&error) => denied(path, error),
            Database::Postgres(url) if is_of_database => server(url, settings.timeout, error),
            Database::Sqlite(_) | Database::Postgres(_) => error,
        }
    }

    /// Returns whether another setting would fix it.
    pub(super) const fn is_configuration_error(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Rejected { .. })
    }
}

/// Names the first of the ledger's files that cannot be written, or else their folder.
fn denied(database: &Path, error: StartError) -> StartError {
    let folders = database.ancestors().skip(1);
    let folders =
        folders.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let Some(folder) = folders.into_iter().find(|folder| folder.exists()) else { return error };
    let beside = |entry: io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.starts_with(database.file_name()?.to_str()?);
        let is_denied = OpenOptions::new().append(true).open(&path).is_err();
        (name && is_denied).then_some(path)
    };
    let blocked = fs::read_dir(folder).ok().and_then(|entries| entries.filter_map(beside).min());
    let path = blocked.unwrap_or_else(|| folder.to_owned());
    let Ok(owner) = fs::metadata(&path).map(|metadata| metadata.uid()) else { return error };
    let user = rustix::process::geteuid().as_raw();
    DatabaseError::File { user, path, owner, source: Box::new(error) }.into()
}

fn server(url: &SecretString, timeout: Duration, error: StartError) -> StartError {
    let Ok(url) = PostgresUrl::parse(url) else { return error };
    let address = url.hosts.iter().map(address).collect::<Vec<_>>().join(", ");
    let cause = causes(&error).find_map(|cause| cause.downcast_ref::<PostgresError>());
    let error = match cause {
        Some(PostgresError::Silent(_)) => DatabaseError::NoResponse { address, timeout },
        Some(cause) if cause.is_rejected_login() => {
            DatabaseError::Rejected { address, source: Box::new(error) }
        }
        _ => DatabaseError::Unreachable { address, source: Box::new(error) },
    };
    error.into()
}

/// Host and port of a server.
fn address(server: &Config) -> String {
    let host = match server.get_hosts() {
        [Host::Tcp(name), ..] => name.clone(),
        [Host::Unix(path), ..] => path.display().to_string(),
        [] => server.get_hostaddrs().iter().map(ToString::to_string).collect(),
    };
    server.get_ports().first().map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// Returns whether the system did not let this user read or write a file.
fn is_denied(error: &StartError) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    causes(error).any(|cause| {
        let system = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let sqlite =
            cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        matches!(system, Some(PermissionDenied | ReadOnlyFilesystem | NotADirectory))
            || matches!(
                sqlite,
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
            )
    })
}

/// The error and its causes.
fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let inner = |error: &'e (dyn StdError + 'static)| -> &'e (dyn StdError + 'static) {
        // A shared cause counts as an error of its own type, and hides the one that it holds.
        match error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            Some(shared) => shared.as_ref(),
            None => error,
        }
    };
    let next = move |error: &&'e (dyn StdError + 'static)| (*error).source().map(inner);
    std::iter::successors(Some(error), next)
}
