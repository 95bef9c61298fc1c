//! Makes the planned events happen.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use super::client::ClientContext;
use super::database::{CopyName, LedgerRows};
use super::database_events::Dump;
use super::losses::Losses;
use super::past_events::PastEvents;
use super::plan::{ChaosEvent, PlannedEvent};
use super::postgres::PostgresCluster;
use super::rotation::PreviousSecretUses;
use super::secrets::Secrets;
use super::service::ServiceProcess;

/// The interval at which progress and services are checked.
const TICK: Duration = Duration::from_millis(10);

/// The interval between the starts of two clients during a long event.
const PACE: Duration = Duration::from_millis(100);

/// The maximum delay before an event.
const MAX_DELAY: Duration = Duration::from_millis(300);

/// The range of times from a kill to the restart.
const DOWN: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(300);

/// The longest time before a power loss that the ledger forgets.
const MAX_UNSYNCED: Duration = Duration::from_secs(1);

/// The services, the ledger and what happened to them.
#[derive(Debug)]
pub(crate) struct EventRunner {
    /// The services.
    pub(crate) services: Vec<ServiceProcess>,
    /// The generation of each service's secrets.
    pub(super) generations: Vec<usize>,
    /// The secrets.
    pub(crate) secrets: Secrets,
    pub(super) rows: LedgerRows,
    /// The database's server, if it has one.
    cluster: Option<PostgresCluster>,
    pub(super) rng: StdRng,
    /// The uses of the secret before the current one.
    pub(super) previous_secret_uses: PreviousSecretUses,
    /// The times at which the ledger lost rows.
    pub(crate) losses: Losses,
    /// The events so far.
    pub(crate) past: PastEvents,
}

impl EventRunner {
    /// Nothing has happened, and no service is running.
    pub(crate) fn new(
        services: Vec<ServiceProcess>,
        rows: LedgerRows,
        cluster: Option<PostgresCluster>,
        rng: StdRng,
    ) -> Self {
        Self {
            generations: vec![0; services.len()],
            services,
            secrets: Secrets::new(),
            rows,
            cluster,
            rng,
            previous_secret_uses: PreviousSecretUses::default(),
            losses: Losses::default(),
            past: PastEvents::default(),
        }
    }

    /// Starts all services, waits until they respond, and checks their clocks.
    pub(crate) async fn start_all(&mut self, context: &ClientContext) -> anyhow::Result<()> {
        for index in 0..self.services.len() {
            self.start(index)?;
        }
        self.wait_until_serving(context).await?;
        for service in &self.services {
            if let Some(clock) = &service.clock {
                clock.check(&context.client, &service.url).await?;
            }
        }
        Ok(())
    }

    async fn wait_until_serving(&mut self, context: &ClientContext) -> anyhow::Result<()> {
        for service in &mut self.services {
            service.wait_until_serving(&context.client).await?;
        }
        Ok(())
    }

    /// Makes each event happen at its moment. Up to `spacing` further clients start meanwhile, and
    /// during a long event one after another.
    pub(crate) async fn run(
        &mut self,
        plan: Vec<PlannedEvent>,
        spacing: u64,
        context: &ClientContext,
    ) -> anyhow::Result<()> {
        for (moment, event) in plan {
            // One more than the event waits for: a person's two clients start together.
            let allowed = if event.is_long() { moment + 1 } else { moment + spacing };
            context.progress.allow(allowed);
            self.wait_until_started(moment, context).await?;
            sleep(self.rng.random_range(Duration::ZERO..MAX_DELAY)).await;
            let happened = tokio::select! {
                happened = self.happen(event, context) => happened,
                never = allow_steadily(allowed, moment + spacing, context) => match never {},
            };
            happened.with_context(|| format!("{event:?}"))?;
            context.progress.allow(moment + spacing);
        }
        context.progress.allow(u64::MAX);
        Ok(())
    }

    /// Waits until this many clients have started.
    pub(crate) async fn wait_until_started(
        &mut self,
        clients: u64,
        context: &ClientContext,
    ) -> anyhow::Result<()> {
        while context.progress.started() < clients {
            self.check_running()?;
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Fails if a service has exited on its own.
    pub(crate) fn check_running(&mut self) -> anyhow::Result<()> {
        self.services.iter_mut().try_for_each(ServiceProcess::check_running)
    }

    async fn happen(&mut self, event: ChaosEvent, context: &ClientContext) -> anyhow::Result<()> {
        let started_at = Instant::now();
        let name = match event {
            ChaosEvent::Kill => {
                let index = self.pick();
                self.kill(index, context)?;
                sleep(self.rng.random_range(DOWN)).await;
                self.start(index)?;
                "kills"
            }
            ChaosEvent::StepClock => {
                let index = self.pick();
                let clock = self.service(index)?.clock.clone().context("no clock to step")?;
                clock.step(&mut self.rng)?;
                "clock steps"
            }
            ChaosEvent::EmptyLedger => {
                self.rows.empty().await?;
                self.losses.add_all();
                "ledger emptied"
            }
            ChaosEvent::BackUp => {
                self.rows.copy(CopyName::Backup).await?;
                self.previous_secret_uses.backups += 1;
                "backups"
            }
            ChaosEvent::RestoreBackup => {
                let running = self.rows.can_restore_while_running();
                self.restore(CopyName::Backup, running, context).await?;
                self.losses.add_all();
                self.previous_secret_uses.add(&self.rows).await?;
                self.previous_secret_uses.backups -= 1;
                "backups restored"
            }
            ChaosEvent::Rotate => self.rotate(context).await?,
            ChaosEvent::Stop(time) => {
                let index = self.pick();
                context.recoveries.disturb();
                self.service(index)?.suspend(time).await?;
                context.recoveries.disturb();
                "suspensions"
            }
            ChaosEvent::LosePower => {
                self.rows.copy(CopyName::LastSync).await?;
                sleep(self.rng.random_range(Duration::ZERO..MAX_UNSYNCED)).await;
                self.restore(CopyName::LastSync, false, context).await?;
                self.losses.add_since(started_at);
                self.previous_secret_uses.add(&self.rows).await?;
                "power losses"
            }
            ChaosEvent::Database(event) => {
                // A service that cannot reach its database while it starts exits, as it should.
                self.wait_until_serving(context).await?;
                context.recoveries.disturb();
                event.happen(cluster(&mut self.cluster)?, &mut self.rng).await?;
                context.recoveries.disturb();
                if event.loses_commits() {
                    self.losses.add_since(started_at - MAX_UNSYNCED);
                    self.previous_secret_uses.add(&self.rows).await?;
                }
                event.name()
            }
            ChaosEvent::MigrateBesideDump => {
                let dump = Dump::start(cluster(&mut self.cluster)?.url()).await?;
                let index = self.pick();
                self.kill(index, context)?;
                self.start(index)?;
                dump.migrate_beside(&mut self.rng).await?;
                "migrations beside a dump"
            }
        };
        self.past.add(name, started_at);
        Ok(())
    }

    /// Restores a copy of the ledger, while the services run or while all are down.
    async fn restore(
        &mut self,
        name: CopyName,
        running: bool,
        context: &ClientContext,
    ) -> anyhow::Result<()> {
        if running {
            // A service whose session ends while it starts exits, as it should.
            self.wait_until_serving(context).await?;
            context.recoveries.disturb();
            return self.rows.restore(name).await;
        }
        for index in 0..self.services.len() {
            self.kill(index, context)?;
        }
        self.rows.restore(name).await?;
        sleep(self.rng.random_range(DOWN)).await;
        (0..self.services.len()).try_for_each(|index| self.start(index))
    }

    pub(super) fn kill(&mut self, index: usize, context: &ClientContext) -> anyhow::Result<()> {
        // First, because a client may notice before this function returns.
        context.recoveries.kill(index);
        self.service(index)?.kill()
    }

    pub(super) fn start(&mut self, index: usize) -> anyhow::Result<()> {
        let generation = self.generations.get(index).copied().unwrap_or_default();
        let secrets = self.secrets.settings(generation);
        self.service(index)?.start(secrets)
    }

    fn pick(&mut self) -> usize {
        self.rng.random_range(0..self.services.len())
    }

    pub(super) fn service(&mut self, index: usize) -> anyhow::Result<&mut ServiceProcess> {
        self.services.get_mut(index).context("no such service")
    }
}

/// Allows one more client at a time.
async fn allow_steadily(from: u64, to: u64, context: &ClientContext) -> Infallible {
    for clients in from..to {
        context.progress.allow(clients);
        sleep(PACE).await;
    }
    pending().await
}

/// The database's server. Only runs that have one plan its events.
fn cluster(cluster: &mut Option<PostgresCluster>) -> anyhow::Result<&mut PostgresCluster> {
    cluster.as_mut().context("the database is no server")
}
