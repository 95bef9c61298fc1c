//! A database or its key that cannot be opened, explained: where it is, why, and what to change.

use std::error::Error as StdError;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{ErrorCode, ffi};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;
use secrecy::SecretString;
use tokio_postgres::config::{Config, Host};

use super::StartError;
use crate::config::{Database, LedgerSettings, PostgresUrl};
use crate::ledger::{KeyError, OpenError, PostgresError, existing_folder};

/// The database of the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The SQLite file, or the file of its key, cannot be used where it is.
    #[error("{} {obstacle}, or name another place in {setting}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The fault.
        obstacle: FileObstacle,
        /// The setting that names the place.
        setting: &'static str,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
    /// PostgreSQL cannot be used with these settings, or at the moment.
    #[error("PostgreSQL at {address} {fault}")]
    Server {
        /// Host and port.
        address: String,
        /// The fault.
        fault: ServerFault,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
    /// A pooler allows no transactions.
    #[error("the pooler at {address} needs pool_mode = transaction or session")]
    StatementPooling {
        /// Host and port.
        address: String,
        /// The error.
        #[source]
        source: Box<StartError>,
    },
    /// Another part of `database.url` than the server cannot be used: a file, or a part of the URL.
    #[error("what database.url (DATABASE_URL) names cannot be used")]
    Unusable {
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
}

/// The fault of a server, and the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerFault {
    /// The user, the password or the database's name is wrong.
    #[error("rejects what database.url (DATABASE_URL) names")]
    Rejected,
    /// The user lacks a right that the start needs.
    #[error(
        "denies a right to the user of database.url (DATABASE_URL): grant the rights in \
         docs/ledger.md, or run `auth0-signup migrate` as the owner of the tables"
    )]
    Denied,
    /// It offers no TLS, or one that the settings reject.
    #[error(
        "was reached, and TLS failed: correct sslmode or the certificates of database.url \
         (DATABASE_URL)"
    )]
    Tls,
    /// It reports an error that no setting explains.
    #[error("cannot be used")]
    Failed,
    /// It cannot be reached.
    #[error("cannot be reached")]
    Unreachable,
}

/// The obstacle to the use of a file, and the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileObstacle {
    /// A folder has the name.
    #[error("is a folder: move it")]
    Folder,
    /// A file is in place of the folder.
    #[error("is not a folder: move it")]
    NotFolder,
    /// Its disk has no room.
    #[error("is on a full disk: make room")]
    Full,
    /// Nobody can write to the file system.
    #[error("is on a read-only file system: mount it for writing")]
    ReadOnly,
    /// It belongs to another user.
    #[error(
        "belongs to user {owner}, and user {user} cannot write to it: give it to user {user} (chown)"
    )]
    Owner {
        /// The user that this process runs as.
        user: u32,
        /// The owner.
        owner: u32,
    },
    /// It belongs to the user that this process runs as.
    #[error(
        "cannot be written although it belongs to user {user}, as whom this runs: allow it (chmod u+rwX)"
    )]
    Mode {
        /// The user.
        user: u32,
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
            Database::Sqlite(path) if is_of_database => unusable(settings, path, error),
            Database::Postgres(url) if is_of_database => server(url, settings.timeout, error),
            Database::Sqlite(_) | Database::Postgres(_) => error,
        }
    }

    /// Returns whether another setting would fix it. A full disk may have room later.
    pub(super) const fn is_configuration_error(&self) -> bool {
        match self {
            Self::File { obstacle, .. } => !matches!(obstacle, FileObstacle::Full),
            Self::Server { fault, .. } => match fault {
                ServerFault::Rejected | ServerFault::Denied | ServerFault::Tls => true,
                ServerFault::Failed | ServerFault::Unreachable => false,
            },
            Self::StatementPooling { .. } | Self::Unusable { .. } => true,
            Self::NoResponse { .. } => false,
        }
    }
}

/// Names the file or folder that cannot be used, and the setting that leads to it.
fn unusable(settings: &LedgerSettings, database: &Path, error: StartError) -> StartError {
    let named = match &error {
        StartError::Secret(KeyError::File { path, .. }) => path.clone(),
        _ => database.to_owned(),
    };
    let is_key = |key: &PathBuf| starts_with(&named, key);
    let setting = if settings.secret_key_path.as_ref().is_some_and(is_key) {
        "secrets.key_path (SIGNUP__SECRETS__KEY_PATH)"
    } else {
        "database.url (DATABASE_URL)"
    };
    let found = if is_full(&error) {
        Some((named, FileObstacle::Full))
    } else if is_denied(&error) {
        obstacle(&named)
    } else {
        None
    };
    let Some((path, obstacle)) = found else { return error };
    DatabaseError::File { path, obstacle, setting, source: Box::new(error) }.into()
}

/// The first of the file and those beside it that cannot be used, such as its log, or else their folder.
/// `None` if the system does not say.
fn obstacle(file: &Path) -> Option<(PathBuf, FileObstacle)> {
    if file.is_dir() {
        return Some((file.to_owned(), FileObstacle::Folder));
    }
    let folder = existing_folder(file);
    if !folder.is_dir() {
        return Some((folder.to_owned(), FileObstacle::NotFolder));
    }
    let blocked = |entry: io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let is_file = starts_with(Path::new(path.file_name()?), Path::new(file.file_name()?));
        (is_file && OpenOptions::new().append(true).open(&path).is_err()).then_some(path)
    };
    let blocked = fs::read_dir(folder).ok().and_then(|entries| entries.filter_map(blocked).min());
    let path = blocked.unwrap_or_else(|| folder.to_owned());
    let is_read_only = statvfs(&path).ok()?.f_flag.contains(StatVfsMountFlags::RDONLY);
    let (user, owner) = (geteuid().as_raw(), fs::metadata(&path).ok()?.uid());
    let obstacle = match (is_read_only, user == owner) {
        (true, _) => FileObstacle::ReadOnly,
        (false, true) => FileObstacle::Mode { user },
        (false, false) => FileObstacle::Owner { user, owner },
    };
    Some((path, obstacle))
}

/// Returns whether a path is another one, with or without a suffix such as `-wal` or `.new`.
fn starts_with(path: &Path, other: &Path) -> bool {
    let (path, other) = (path.as_os_str(), other.as_os_str());
    path.as_encoded_bytes().starts_with(other.as_encoded_bytes())
}

fn server(url: &SecretString, timeout: Duration, error: StartError) -> StartError {
    let Ok(url) = PostgresUrl::parse(url) else { return error };
    let address = url.hosts.iter().map(address).collect::<Vec<_>>().join(", ");
    let cause = causes(&error).find_map(|cause| cause.downcast_ref::<PostgresError>());
    let fault = match cause {
        Some(PostgresError::Silent(_)) => {
            return DatabaseError::NoResponse { address, timeout }.into();
        }
        Some(
            PostgresError::Tls(_)
            | PostgresError::Certificate { .. }
            | PostgresError::Url(_)
            | PostgresError::Foreign(_),
        ) => return DatabaseError::Unusable { source: Box::new(error) }.into(),
        Some(cause) if cause.is_failed_tls() => ServerFault::Tls,
        Some(cause) if cause.is_rejected_login() => ServerFault::Rejected,
        Some(cause) if cause.is_denied() => ServerFault::Denied,
        Some(cause) if cause.is_statement_pooling() => {
            return DatabaseError::StatementPooling { address, source: Box::new(error) }.into();
        }
        Some(cause) if cause.is_from_server() => ServerFault::Failed,
        _ => ServerFault::Unreachable,
    };
    DatabaseError::Server { address, fault, source: Box::new(error) }.into()
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
    use io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    causes(error).any(|cause| {
        let system = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let sqlite =
            cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        matches!(system, Some(IsADirectory | NotADirectory | PermissionDenied | ReadOnlyFilesystem))
            || matches!(
                sqlite,
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
            )
    })
}

/// Returns whether the disk has no room.
fn is_full(error: &StartError) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    causes(error).any(|cause| {
        let system = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let sqlite =
            cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error);
        matches!(system, Some(StorageFull | QuotaExceeded))
            // The second is the index of the log, which gets its room in advance.
            || sqlite.is_some_and(|error| {
                matches!(error.extended_code, ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE)
            })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::ledger::LedgerError;

    #[test]
    fn a_full_disk_is_named_with_the_place_and_may_have_room_later() {
        let variables = [("DATABASE_URL", "sqlite:///data/signup.db")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = config::load_ledger(None, variables).unwrap();
        let full = ffi::Error { code: ErrorCode::DiskFull, extended_code: ffi::SQLITE_FULL };
        let database = rusqlite::Error::SqliteFailure(full, None);
        let key = KeyError::File {
            path: "/data/signup.db.key.new".into(),
            source: io::ErrorKind::StorageFull.into(),
        };
        for (error, path) in [
            (StartError::from(OpenError::from(LedgerError::from(database))), "/data/signup.db"),
            (key.into(), "/data/signup.db.key.new"),
        ] {
            let explained = DatabaseError::explain(&settings, error);
            let expected = format!(
                "{path} is on a full disk: make room, or name another place in database.url \
                 (DATABASE_URL)"
            );
            assert_eq!(explained.to_string(), expected);
            assert!(!explained.is_configuration_error());
        }
    }
}
