//! Copies, restores and empties a ledger on a PostgreSQL server.

use anyhow::Context as _;

use super::client::connect;
use crate::database::CopyName;

/// The number of tries of a change that deadlocks with the services' writes.
const TRIES: usize = 10;

/// Every table with its columns, except those that record the schema. Names are quoted.
const TABLES: &str = "SELECT quote_ident(relname), \
     string_agg(quote_ident(attname), ', ' ORDER BY attnum) \
     FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid \
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
     AND relname NOT LIKE '%migrations%' \
     AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \
     GROUP BY relname ORDER BY relname";

/// Ends the services' sessions, as a failover does.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid();";

/// Foreign keys are not checked, so that tables can be changed in any order.
const NO_FOREIGN_KEYS: &str = "SET LOCAL session_replication_role = replica;";

const UNRESOLVED: &str = "SELECT id::text FROM attempts WHERE state IN (0, 3)";

/// A ledger's database.
#[derive(Debug, Clone)]
pub(crate) struct PostgresRows {
    url: String,
}

impl PostgresRows {
    /// The ledger in this database.
    pub(crate) const fn new(url: String) -> Self {
        Self { url }
    }

    /// Copies all rows as of one moment into a separate schema.
    pub(crate) async fn copy(&self, name: CopyName) -> anyhow::Result<()> {
        let schema = schema(name);
        let copies = self.for_each_table(|table, columns| {
            format!("CREATE TABLE {schema}.{table} AS SELECT {columns} FROM public.{table};")
        });
        let copies = copies.await?;
        self.change(&format!(
            "SET LOCAL client_min_messages = warning; \
             DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; {copies}"
        ))
        .await
    }

    /// Ends the services' sessions and replaces all rows by those of a copy.
    pub(crate) async fn restore(&self, name: CopyName) -> anyhow::Result<()> {
        let schema = schema(name);
        let restore = self.for_each_table(|table, columns| {
            format!(
                "DELETE FROM public.{table}; \
                 INSERT INTO public.{table} ({columns}) OVERRIDING SYSTEM VALUE \
                 SELECT {columns} FROM {schema}.{table};"
            )
        });
        let restore = restore.await?;
        let locks = self.locks().await?;
        // The locks come first: the first statement that reads fixes the rows that are visible.
        self.change(&format!("{NO_FOREIGN_KEYS} {locks} {END_SESSIONS} {restore}")).await
    }

    /// The ids of all attempts that are not resolved.
    pub(crate) async fn unresolved(&self) -> anyhow::Result<Vec<String>> {
        let rows = connect(&self.url).await?.query(UNRESOLVED, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Deletes all rows.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        let delete = self.for_each_table(|table, _| format!("DELETE FROM public.{table};"));
        let delete = delete.await?;
        let locks = self.locks().await?;
        self.change(&format!("{NO_FOREIGN_KEYS} {locks} {delete}")).await
    }

    /// Locks every table against writes, so that no row is written between two tables' changes.
    async fn locks(&self) -> anyhow::Result<String> {
        self.for_each_table(|table, _| format!("LOCK TABLE public.{table} IN EXCLUSIVE MODE;"))
            .await
    }

    /// Runs statements in one transaction, again after a deadlock.
    async fn change(&self, statements: &str) -> anyhow::Result<()> {
        let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {statements} COMMIT;");
        let mut tries = 1;
        loop {
            match connect(&self.url).await?.batch_execute(&sql).await {
                Ok(()) => return Ok(()),
                Err(error) if tries >= TRIES => return Err(error).context("too many tries"),
                Err(_) => tries += 1,
            }
        }
    }

    /// One statement for each table, from its quoted name and those of its columns.
    async fn for_each_table(
        &self,
        statement: impl Fn(&str, &str) -> String,
    ) -> anyhow::Result<String> {
        let rows = connect(&self.url).await?.query(TABLES, &[]).await?;
        let mut statements = String::new();
        for row in rows {
            statements.push_str(&statement(row.try_get(0)?, row.try_get(1)?));
        }
        Ok(statements)
    }
}

fn schema(name: CopyName) -> String {
    format!("chaos_{}", name.as_str())
}
