//! `[database]`, `[secrets]` and `[ledger]`: where attempts are recorded, under which secret, and
//! for how long.

use std::fmt;
use std::path::{PathBuf, absolute};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::postgres_url::PostgresUrl;
use super::reader::Reader;

/// The minimum length of the secret: the key size of HMAC-SHA-256.
const SECRET_BYTES: usize = 32;

/// The database of attempts, and its use.
#[derive(Debug, Clone)]
pub struct LedgerSettings {
    /// The database.
    pub database: Database,
    /// The secret of every keyed digest. `None`: generated for the SQLite file.
    pub secret_key: Option<SecretString>,
    /// The file of a generated secret. `None`: beside the SQLite file.
    pub secret_key_path: Option<PathBuf>,
    /// The previous or the next secret, while the secret is being replaced.
    pub previous_secret_key: Option<SecretString>,
    /// Applies pending migrations at startup.
    pub migrate: bool,
    /// The event that a write waits for.
    pub synchronous: Synchronous,
    /// The retention time of an attempt.
    pub retention: Duration,
    /// The time during which an idempotency key replays its attempt.
    pub key_lifetime: Duration,
    /// The longest duration of a call.
    pub timeout: Duration,
    /// The longest wait at startup for another service that has the same SQLite file.
    pub lock_wait: Duration,
    /// Creates an SQLite file although the `.key` or `-wal` file of an earlier one is there. Not a
    /// setting: `--new-ledger`, for one start.
    pub new_ledger: bool,
}

/// The database of the ledger.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// The URL of a server, which may contain a password.
    Postgres(SecretString),
}

impl fmt::Display for Database {
    /// Writes the absolute path of the file, or the servers and the database without the user and the
    /// password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => absolute(path).as_ref().unwrap_or(path).display().fmt(f),
            // Parsed before, when the settings were read.
            Self::Postgres(url) => PostgresUrl::parse(url).map_or(Ok(()), |url| url.fmt(f)),
        }
    }
}

/// The event that a write waits for. The use of a proof waits for the disk in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// The disk: survives a power failure.
    Full,
    /// The operating system: survives a crash of the process. The disk follows within a second.
    Normal,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<LedgerSettings> {
    let database = database(reader);
    let secret_key = secret(reader, "secrets.key");
    if secret_key.is_none() && matches!(database, Some(Database::Postgres(_))) {
        reader.reject(
            "secrets.key",
            "a secret of at least 32 bytes, the same for every replica of a PostgreSQL database",
        );
    }
    let secret_key_path = reader.text("secrets.key_path").map(PathBuf::from);
    let previous_secret_key = secret(reader, "secrets.previous_key");
    let choices = [("full", Synchronous::Full), ("normal", Synchronous::Normal)];
    let synchronous = reader.choice("ledger.synchronous", &choices);
    let migrate = reader.flag("ledger.migrate");
    let hours = reader.integer("ledger.key_lifetime_hours", &(1..=720));
    let days = reader.integer("ledger.retention_days", &(1..=3650));
    let timeout = reader.millis("ledger.timeout_ms", 100..=60_000);
    let lock_wait = reader.millis("ledger.lock_wait_ms", 0..=600_000);
    Some(LedgerSettings {
        database: database?,
        secret_key,
        secret_key_path,
        previous_secret_key,
        migrate,
        synchronous: synchronous?,
        retention: Duration::from_hours(days * 24),
        key_lifetime: Duration::from_hours(hours),
        timeout,
        lock_wait,
        new_ledger: false,
    })
}

fn database(reader: &mut Reader<'_>) -> Option<Database> {
    const KEY: &str = "database.url";
    const EXPECTED: &str = "sqlite://path/to/file or postgres://user:password@host/database";
    let url = reader.required_parsed(KEY, EXPECTED, |url| Some(url.to_owned()))?;
    let sqlite = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match sqlite {
        Some(path) if !path.is_empty() && !path.contains(['?', '#']) && path != ":memory:" => {
            return Some(Database::Sqlite(path.into()));
        }
        None if url.starts_with("postgres") => {
            let url = SecretString::from(url);
            match PostgresUrl::parse(&url) {
                Ok(_) => return Some(Database::Postgres(url)),
                Err(error) => reader.reject(KEY, error),
            }
        }
        _ => reader.reject(KEY, EXPECTED),
    }
    None
}

/// Reads a secret that may be absent, but not too short.
fn secret(reader: &mut Reader<'_>, key: &str) -> Option<SecretString> {
    let secret = reader.optional_secret(key)?;
    if secret.expose_secret().len() < SECRET_BYTES {
        reader.reject(key, "a secret of at least 32 bytes, such as `openssl rand -hex 32` prints");
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::load_with;
    use super::*;

    #[test]
    fn a_database_is_a_file_or_a_server() {
        let settings = load_with(&[]).unwrap();
        let Database::Sqlite(path) = settings.ledger.database else { panic!("{settings:?}") };
        assert_eq!(path, Path::new("data/signup.db"));
        for url in ["mysql://x", "sqlite://", "sqlite::memory:", "sqlite://a?mode=rwc", "postgres:"]
        {
            let errors = load_with(&[("DATABASE_URL", url)]).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("database.url"), "{errors:?}");
        }
    }

    #[test]
    fn a_server_needs_a_secret_that_is_long_enough() {
        let server = ("DATABASE_URL", "postgres://localhost/signup");
        for variables in [vec![server], vec![server, ("SIGNUP__SECRETS__KEY", "canary-secret")]] {
            let errors = load_with(&variables).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("secrets.key"), "{errors:?}");
            assert!(!errors[0].contains("canary"), "{errors:?}");
        }
    }
}
