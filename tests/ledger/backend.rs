//! A fresh database for a test, and the ways to open it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::config::{Database, LedgerSettings, Synchronous};
use auth0_signup::ledger::{self, Access, Ledger, OpenError};
use auth0_signup::lifecycle::Lifecycle;
use auth0_signup::telemetry::LedgerMetrics;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::server::server;

/// When every test begins.
pub(crate) const NOW: Duration = Duration::from_millis(1_790_000_000_123);

/// A database that is this test's own.
pub(crate) struct Backend {
    pub(crate) settings: LedgerSettings,
    lifecycle: Lifecycle,
    folder: Option<PathBuf>,
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("ledger-{}", Uuid::now_v7()));
        let file = folder.join("new").join("signup.db");
        let mut backend = Self::of(Database::Sqlite(file));
        backend.folder = Some(folder);
        backend
    }

    pub(crate) async fn postgres() -> Self {
        let name = format!("ledger_{}", Uuid::now_v7().simple());
        admin(&format!("CREATE DATABASE {name}")).await;
        let url = server().replace("/postgres?", &format!("/{name}?"));
        Self::of(Database::Postgres(url.into()))
    }

    fn of(database: Database) -> Self {
        let settings = LedgerSettings {
            database,
            secret_key: Some("k".repeat(32).into()),
            previous_secret_key: None,
            migrate: true,
            synchronous: Synchronous::Normal,
            retention: Duration::from_hours(30 * 24),
            key_lifetime: Duration::from_hours(24),
            writers: 2,
            timeout: Duration::from_secs(10),
        };
        Self { settings, lifecycle: Lifecycle::new(), folder: None }
    }

    /// The database that another process was told of.
    pub(crate) fn named(url: &str) -> Self {
        Self::of(match url.strip_prefix("sqlite://") {
            Some(path) => Database::Sqlite(path.into()),
            None => Database::Postgres(url.into()),
        })
    }

    /// To tell another process.
    pub(crate) fn url(&self) -> String {
        match &self.settings.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.expose_secret().to_owned(),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.settings.database, Database::Sqlite(_))
    }

    pub(crate) async fn try_open(&self, access: Access) -> Result<Arc<dyn Ledger>, OpenError> {
        let digests = ledger::digests(&self.settings).expect("a secret");
        let unseen = LedgerMetrics::default();
        ledger::open(&self.settings, &digests, access, NOW, &self.lifecycle, &unseen).await
    }

    pub(crate) async fn open(&self) -> Arc<dyn Ledger> {
        self.try_open(Access::Service).await.expect("a ledger")
    }

    /// Another secret from now on.
    pub(crate) fn with_secrets(&mut self, current: &str, previous: Option<&str>) {
        let secret = |letter: &str| SecretString::from(letter.repeat(32));
        self.settings.secret_key = Some(secret(current));
        self.settings.previous_secret_key = previous.map(secret);
    }

    /// The name of the PostgreSQL database.
    pub(crate) fn database(&self) -> String {
        let url = self.url();
        let (_, rest) = url.split_once("localhost/").expect("a URL of this test");
        rest.split_once('?').expect("a socket").0.to_owned()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            std::fs::remove_dir_all(folder).ok();
        }
    }
}

/// Runs a statement as superuser, in a database of its own.
pub(crate) async fn admin(sql: &str) {
    let mut connection = PgConnection::connect(server()).await.expect("the test's server");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("a goodbye");
}

/// Runs a statement in this backend's database.
pub(crate) async fn admin_in(backend: &Backend, sql: &str) {
    let mut connection = PgConnection::connect(&backend.url()).await.expect("the test's database");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("a goodbye");
}
