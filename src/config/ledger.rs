//! `[database]`, `[secrets]` and `[ledger]`: where attempts are recorded, under which secret, and
//! for how long.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;

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
    /// The timeout of a call to PostgreSQL.
    pub timeout: Duration,
}

/// The database of the ledger.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// The URL of a server, which may contain a password.
    Postgres(SecretString),
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
    if hours > days * 24 {
        reader.reject("ledger.key_lifetime_hours", "no more than ledger.retention_days");
    }
    let timeout = reader.millis("ledger.timeout_ms", 100..=60_000);
    Some(LedgerSettings {
        database: database?,
        secret_key,
        secret_key_path,
        previous_secret_key,
        migrate,
        synchronous: synchronous?,
        retention: Duration::from_secs(days * 86_400),
        key_lifetime: Duration::from_secs(hours * 3_600),
        timeout,
    })
}

fn database(reader: &mut Reader<'_>) -> Option<Database> {
    const KEY: &str = "database.url";
    const EXPECTED: &str = "sqlite://path/to/file or postgres://user:password@host/database";
    let url = reader.required(KEY, EXPECTED);
    if url.is_empty() {
        return None;
    }
    let sqlite = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let database = match sqlite {
        Some(path) if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" => None,
        Some(path) => Some(Database::Sqlite(path.into())),
        None if postgres && url.parse::<PgConnectOptions>().is_ok() => {
            Some(Database::Postgres(url.into()))
        }
        None => None,
    };
    if database.is_none() {
        reader.reject(KEY, EXPECTED);
    }
    database
}

/// Reads a secret that may be absent, but not too short.
fn secret(reader: &mut Reader<'_>, key: &str) -> Option<SecretString> {
    let secret = SecretString::from(reader.text(key)?);
    if secret.expose_secret().len() < SECRET_BYTES {
        reader.reject(key, "a secret of at least 32 bytes, such as `openssl rand -hex 32` prints");
    }
    Some(secret)
}
