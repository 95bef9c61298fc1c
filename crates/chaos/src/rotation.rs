//! Rolling restarts of the services, with a new secret or the same one.

use std::collections::HashSet;
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep};

use super::client::ClientContext;
use super::database::LedgerRows;
use super::events::EventRunner;

/// The range of times between the restarts of two services.
const BETWEEN_RESTARTS: std::ops::Range<Duration> =
    Duration::from_millis(300)..Duration::from_secs(2);

/// The clients, attempts and backups that may need the secret before the current one. An operator
/// waits for their end too, before removing that secret.
#[derive(Debug, Default)]
pub(crate) struct PreviousSecretUses {
    /// The end of the last rotation: clients from before may have sent their key under it.
    rotated_at: Option<Instant>,
    /// The attempts that were unresolved then, or became so again when the ledger lost rows.
    attempts: HashSet<String>,
    /// The number of backups that are going to be restored, with whatever was unresolved when they
    /// were taken.
    pub(super) backups: usize,
}

impl PreviousSecretUses {
    /// Adds the attempts that are unresolved now.
    pub(crate) async fn add(&mut self, rows: &LedgerRows) -> anyhow::Result<()> {
        self.attempts.extend(rows.unresolved().await?);
        Ok(())
    }

    /// Starts again with the attempts that are unresolved now.
    async fn rotate(&mut self, rows: &LedgerRows) -> anyhow::Result<()> {
        self.attempts.clear();
        self.add(rows).await?;
        self.rotated_at = Some(Instant::now());
        Ok(())
    }

    /// Returns whether nothing needs that secret any more.
    async fn are_over(&self, context: &ClientContext, rows: &LedgerRows) -> anyhow::Result<bool> {
        let has_clients = self.rotated_at.is_some_and(|time| context.progress.runs_since(time));
        if self.backups > 0 || has_clients {
            return Ok(false);
        }
        Ok(rows.unresolved().await?.iter().all(|attempt| !self.attempts.contains(attempt)))
    }
}

impl EventRunner {
    /// Restarts the services one by one. They get a new secret beside the current one if nothing
    /// needs the one before any more.
    pub(super) async fn rotate(&mut self, context: &ClientContext) -> anyhow::Result<&'static str> {
        let rotates = self.previous_secret_uses.are_over(context, &self.rows).await?;
        let generation = if rotates { self.secrets.rotate() } else { self.secrets.latest() };
        let mut order: Vec<usize> = (0..self.services.len()).collect();
        order.shuffle(&mut self.rng);
        for (restarted, index) in order.into_iter().enumerate() {
            if restarted > 0 {
                sleep(self.rng.random_range(BETWEEN_RESTARTS)).await;
            }
            if self.rng.random() {
                context.recoveries.disturb();
                self.service(index)?.shut_down().await?;
                context.recoveries.disturb();
            } else {
                self.kill(index, context)?;
            }
            if let Some(current) = self.generations.get_mut(index) {
                *current = generation;
            }
            self.start(index)?;
        }
        if rotates {
            self.previous_secret_uses.rotate(&self.rows).await?;
        }
        Ok(if rotates { "rotations" } else { "rolling restarts" })
    }
}
