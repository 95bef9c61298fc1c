//! The next release's migration meets a dump.
//!
//! A dump locks every table against changes of its columns until it ends. A migration that waited
//! for it would stop every statement behind it. So it gives up after a moment and tries again.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::postgres::connect;

/// The range of times that a dump lasts.
const DUMP: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(4);

/// The pause between two tries of the migration.
const PAUSE: Duration = Duration::from_millis(300);

/// The time that the migration has after the dump.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The locks of `pg_dump`.
const LOCKS: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     DO $$ DECLARE name text; BEGIN \
       FOR name IN SELECT quote_ident(relname) FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
       LOOP EXECUTE 'LOCK TABLE public.' || name || ' IN ACCESS SHARE MODE'; END LOOP; \
     END $$";

const ADD_COLUMN: &str = "ALTER TABLE attempts ADD COLUMN of_next_release smallint";

const DROP_COLUMN: &str = "ALTER TABLE attempts DROP COLUMN of_next_release";

/// A dump that is running.
#[derive(Debug)]
pub(crate) struct Dump {
    client: Client,
    url: String,
}

impl Dump {
    /// Starts a dump of this database.
    pub(crate) async fn start(url: String) -> anyhow::Result<Self> {
        let client = connect(&url).await?;
        client.batch_execute(LOCKS).await?;
        Ok(Self { client, url })
    }

    /// Migrates the database while the dump runs, and reverts the migration after its end.
    pub(crate) async fn migrate_beside(self, rng: &mut StdRng) -> anyhow::Result<()> {
        let lasts = rng.random_range(DUMP);
        let dump = async {
            sleep(lasts).await;
            drop(self.client);
            anyhow::Ok(())
        };
        tokio::try_join!(dump, migrate(&self.url, ADD_COLUMN, lasts + MIGRATION_TIMEOUT))?;
        sleep(PAUSE).await;
        migrate(&self.url, DROP_COLUMN, MIGRATION_TIMEOUT).await
    }
}

/// Runs a statement, again until it gets its lock.
async fn migrate(url: &str, statement: &str, longest: Duration) -> anyhow::Result<()> {
    let sql = format!("SET lock_timeout = '100ms'; {statement}");
    let client = connect(url).await?;
    let end = Instant::now() + longest;
    while let Err(error) = client.batch_execute(&sql).await {
        anyhow::ensure!(Instant::now() < end, "the migration fails: {error}");
        sleep(PAUSE).await;
    }
    Ok(())
}
