//! A fresh database for each test, and the ways to open it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth0_signup::clock::Clock;
use auth0_signup::config::{Database, LedgerSettings, Synchronous};
use auth0_signup::ledger::{self, Access, Ledger, OpenError};
use auth0_signup::telemetry::LedgerMetrics;
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::server::{connect, database, execute, scalar, server};

/// The time at which every test starts.
pub(crate) const NOW: Duration = Duration::from_millis(1_790_000_000_123);

/// Held while a server's time is set: two replacements of one function at once fail.
static SETTING_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A clock that only a test moves.
#[derive(Debug)]
struct TestClock(Mutex<Duration>);

impl TestClock {
    fn set(&self, now: Duration) {
        *self.0.lock() = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        *self.0.lock()
    }
}

/// A database that belongs to one test. Its ledgers' time is [`NOW`] until the test changes it.
pub(crate) struct Backend {
    pub(crate) settings: LedgerSettings,
    clock: Arc<TestClock>,
    folder: Option<PathBuf>,
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("ledger-{}", Uuid::now_v7()));
        let file = folder.join("new").join("signup.db");
        let mut backend = Self::new(Database::Sqlite(file));
        backend.folder = Some(folder);
        backend
    }

    pub(crate) async fn postgres() -> Self {
        Self::new(Database::Postgres(database().await.into()))
    }

    fn new(database: Database) -> Self {
        let settings = LedgerSettings {
            database,
            secret_key: Some("k".repeat(32).into()),
            secret_key_path: None,
            previous_secret_key: None,
            migrate: true,
            synchronous: Synchronous::Normal,
            retention: Duration::from_hours(30 * 24),
            key_lifetime: Duration::from_hours(24),
            // Never reached: several starts at once take turns, also on a busy machine.
            timeout: Duration::from_mins(1),
            lock_wait: Duration::ZERO,
            new_ledger: false,
        };
        let clock = Arc::new(TestClock(Mutex::new(NOW)));
        Self { settings, clock, folder: None }
    }

    /// The database of the parent process.
    pub(crate) fn from_url(url: &str) -> Self {
        Self::new(match url.strip_prefix("sqlite://") {
            Some(path) => Database::Sqlite(path.into()),
            None => Database::Postgres(url.into()),
        })
    }

    /// The URL, for a child process.
    pub(crate) fn url(&self) -> String {
        match &self.settings.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.expose_secret().to_owned(),
        }
    }

    /// The file of an SQLite ledger.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.settings.database {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(_) => panic!("a file"),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.settings.database, Database::Sqlite(_))
    }

    pub(crate) async fn try_open(&self, access: Access) -> Result<Arc<dyn Ledger>, OpenError> {
        Box::pin(self.open_at_its_time(access)).await
    }

    async fn open_at_its_time(&self, access: Access) -> Result<Arc<dyn Ledger>, OpenError> {
        let ledger = self.try_open_plain(access).await?;
        self.set_time(self.clock.now()).await;
        Ok(ledger)
    }

    pub(crate) async fn open(&self) -> Arc<dyn Ledger> {
        self.try_open(Access::Service).await.expect("a ledger")
    }

    /// Opens a ledger at the server's own time, which a role without rights cannot set.
    pub(crate) async fn open_plain(&self) -> Arc<dyn Ledger> {
        self.open_plain_as(Access::Service).await
    }

    pub(crate) async fn open_plain_as(&self, access: Access) -> Arc<dyn Ledger> {
        self.try_open_plain(access).await.expect("a ledger")
    }

    pub(crate) async fn try_open_plain(
        &self,
        access: Access,
    ) -> Result<Arc<dyn Ledger>, OpenError> {
        let digests = ledger::digests(&self.settings).expect("a secret");
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&self.clock);
        let metrics = LedgerMetrics::default();
        Box::pin(ledger::open(&self.settings, &digests, access, &clock, &metrics)).await
    }

    /// Sets the time of the ledgers that are open, and of those that will be opened.
    pub(crate) async fn set_time(&self, now: Duration) {
        self.clock.set(now);
        if !self.is_sqlite() {
            let _setting = SETTING_TIME.lock().await;
            self.execute(&format!(
                "CREATE OR REPLACE FUNCTION ledger_now() RETURNS bigint LANGUAGE sql VOLATILE AS \
                 $$ SELECT {}::bigint $$",
                now.as_millis()
            ))
            .await;
        }
    }

    /// Changes the secrets.
    pub(crate) fn set_secrets(&mut self, current: &str, previous: Option<&str>) {
        let secret = |letter: &str| SecretString::from(letter.repeat(32));
        self.settings.secret_key = Some(secret(current));
        self.settings.previous_secret_key = previous.map(secret);
    }

    /// Runs statements in this database, past the ledger.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.settings.database {
            Database::Sqlite(path) => {
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
                let connection = rusqlite::Connection::open(path).expect("the file");
                connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
                connection.execute_batch(sql).expect(sql);
            }
            Database::Postgres(url) => Box::pin(execute(url.expose_secret(), sql)).await,
        }
    }

    /// The number of rows in a table, past the ledger.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        match &self.settings.database {
            Database::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).expect("the file");
                connection.query_row(&sql, [], |row| row.get(0)).expect(&sql)
            }
            Database::Postgres(url) => scalar(&connect(url.expose_secret()).await, &sql).await,
        }
    }

    /// The folder of the test's files, which is deleted afterwards.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone().expect("a file of this test")
    }

    /// The result of SQLite's own check of the file.
    pub(crate) fn integrity(&self) -> String {
        let Database::Sqlite(path) = &self.settings.database else { panic!("a file") };
        let connection = rusqlite::Connection::open(path).expect("the file");
        connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a readable file")
    }

    /// The same database, reached by another URL.
    pub(crate) fn through(&self, url: &str) -> Self {
        let mut other = Self::from_url(url);
        other.settings.secret_key.clone_from(&self.settings.secret_key);
        other.settings.timeout = Duration::from_secs(3);
        other
    }

    /// Ends every connection to the database, and waits until the server has closed them.
    pub(crate) async fn terminate(&self) {
        let database = self.database();
        admin(&format!(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
             WHERE datname = '{database}'"
        ))
        .await;
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

/// Runs statements as superuser, in the server's own database.
pub(crate) async fn admin(sql: &str) {
    execute(server(), sql).await;
}
