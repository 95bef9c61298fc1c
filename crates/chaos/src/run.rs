//! A chaos run, from setup to the final counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use auth0_emulator::Emulator;
use auth0_signup::clock::{Clock, SystemClock};
use auth0_signup::config;
use auth0_signup::ledger::{self, Access, Attempt, AttemptState, Find, Ledger};
use auth0_signup::telemetry::LedgerMetrics;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::check::check_clients;
use super::check_ledger::check_ledger;
use super::client::ClientContext;
use super::clock::FakeClock;
use super::database::RunDatabase;
use super::drive::drive;
use super::events::EventRunner;
use super::fault_catalog;
use super::fault_injector::FaultInjector;
use super::finding::Findings;
use super::options::{ChaosOptions, EventKind};
use super::people::generate_people;
use super::plan::{PlannedEvent, plan_events, spacing};
use super::progress::Progress;
use super::recovery::Recoveries;
use super::report::{RunReport, print_line};
use super::service::{self, ServiceProcess};
use super::settings::service_settings;
use super::truth::Truth;

/// The interval at which pending attempts are counted.
const PENDING_TICK: Duration = Duration::from_millis(200);

/// The time the reconciler has at the end.
const RESOLVE_TIMEOUT: Duration = Duration::from_mins(2);

/// Runs, and returns whether nothing was wrong.
pub(crate) async fn run(options: ChaosOptions) -> anyhow::Result<bool> {
    let program = service::program(options.service.as_deref())?;
    let seed = options.seed.unwrap_or_else(rand::random);
    let folder = std::env::temp_dir().join(format!("chaos-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder)?;
    print_line(&format!("seed {seed}, folder {}", folder.display()));
    let mut terminated = signal(SignalKind::terminate())?;
    let run = async {
        let database = RunDatabase::create(&options, &folder).await?;
        Run::set_up(options, seed, &folder, &program, database).await?.go().await
    };
    let good = tokio::select! {
        good = run => good,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
    };
    if matches!(good, Ok(true)) {
        std::fs::remove_dir_all(&folder)?;
    }
    good.with_context(|| format!("the service's logs are in {}", folder.display()))
}

/// The parts of a run.
struct Run {
    options: ChaosOptions,
    seed: u64,
    auth0: Emulator,
    injector: FaultInjector,
    settings: Vec<(String, String)>,
    plan: Vec<PlannedEvent>,
    events: EventRunner,
    context: Arc<ClientContext>,
    started_at: Instant,
}

impl Run {
    async fn set_up(
        options: ChaosOptions,
        seed: u64,
        folder: &Path,
        program: &Path,
        database: RunDatabase,
    ) -> anyhow::Result<Self> {
        let auth0 = Emulator::builder()
            .journal_limit(usize::MAX)
            .tenant(|tenant| tenant.ignores_user_id = options.ignores_user_id)
            .start()
            .await?;
        let settings = service_settings(auth0.url(), &database.url);
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(2));
        let with_clocks = options.event_kinds().contains(&EventKind::Clocks);
        let mut services = Vec::new();
        for (replica, url) in (1..).zip(&database.service_urls) {
            let file = |name: &str| -> PathBuf { folder.join(format!("{name}-{replica}")) };
            let clock = with_clocks.then(|| FakeClock::new(file("clock"), &mut rng)).transpose()?;
            let log = file("service").with_extension("log");
            let settings = service_settings(auth0.url(), url);
            services.push(ServiceProcess::new(program, settings, log, clock)?);
        }
        let plan = plan_events(&options, &mut rng);
        let context = ClientContext {
            client: reqwest::Client::builder().no_proxy().build()?,
            urls: services.iter().map(|service| service.url.clone()).collect(),
            tenant: auth0.url().to_owned(),
            requests: AtomicU64::new(0),
            progress: Progress::new(),
            recoveries: Recoveries::new(services.len()),
            deadline: Instant::now() + time_limit(options.signups, plan.len()),
        };
        Ok(Self {
            injector: FaultInjector::new(seed.wrapping_add(1), options.faults),
            events: EventRunner::new(services, database.rows, database.cluster, rng),
            context: Arc::new(context),
            started_at: Instant::now(),
            options,
            seed,
            auth0,
            settings,
            plan,
        })
    }

    /// Runs everything after the setup.
    async fn go(mut self) -> anyhow::Result<bool> {
        let people = generate_people(self.options.signups, self.seed);
        self.injector.inject_into(&self.auth0);
        self.events.start_all(&self.context).await?;
        let context = Arc::clone(&self.context);
        let driving = drive(&context, people, self.options.concurrency);
        let (people, ()) = tokio::try_join!(driving, self.run_events())?;
        let rows = self.wait_until_resolved().await?;
        let truth = Truth::new(&self.auth0)?;
        let mut findings = Findings::default();
        let (digests, losses) = (self.events.secrets.digests(), &self.events.losses);
        check_clients(&truth, &people, losses, &mut findings);
        check_ledger(&truth, &people, &rows, &digests, losses, &mut findings);
        let report = RunReport {
            options: &self.options,
            seed: self.seed,
            elapsed: self.started_at.elapsed(),
            auth0: &self.auth0,
            injector: &self.injector,
            events: &self.events,
            context: &self.context,
            people: &people,
            rows: rows.len(),
            findings: &findings,
        };
        report.print();
        Ok(!self.options.fail(&findings))
    }

    /// Makes the events happen until every client has started; then clears the faults.
    async fn run_events(&mut self) -> anyhow::Result<()> {
        let plan = std::mem::take(&mut self.plan);
        let spacing = spacing(&self.options, plan.len());
        let (events, context) = (&mut self.events, &self.context);
        let running = async {
            events.run(plan, spacing, context).await?;
            events.wait_until_started(self.options.signups.into(), context).await
        };
        let result = tokio::select! {
            result = running => result,
            () = self.injector.revoke_tokens(&self.auth0) => Ok(()),
        };
        self.auth0.clear_faults();
        result
    }

    /// Waits until no attempt in the ledger is pending, and returns all rows.
    async fn wait_until_resolved(&mut self) -> anyhow::Result<Vec<Attempt>> {
        // Lets the tenant perform the calls that are still delayed.
        sleep(fault_catalog::NOT_CREATED_AFTER).await;
        let ledger = self.open_ledger().await?;
        let end = Instant::now() + RESOLVE_TIMEOUT;
        while !self.options.ignores_user_id && has_pending(&*ledger).await? && Instant::now() < end
        {
            self.events.check_running()?;
            sleep(PENDING_TICK).await;
        }
        Ok(ledger.find(Find::All, usize::MAX).await?)
    }

    /// Opens the ledger as an operator's command does. Not before the end, because events replace
    /// its file.
    async fn open_ledger(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        let secrets = self.events.secrets.settings(self.events.secrets.latest());
        let variables = self.settings.iter().cloned().chain(secrets);
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = config::load(None, variables)?.ledger;
        let digests = ledger::digests(&settings)?;
        let metrics = LedgerMetrics::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(ledger::open(&settings, &digests, Access::Cli, &clock, &metrics).await?)
    }
}

async fn has_pending(ledger: &dyn Ledger) -> anyhow::Result<bool> {
    for state in AttemptState::ALL.into_iter().filter(|state| !state.is_resolved()) {
        if !ledger.find(Find::State(state), 1).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The time after which clients give up: many times what a run takes.
fn time_limit(signups: u32, events: usize) -> Duration {
    let events = u64::try_from(events).unwrap_or(u64::MAX);
    Duration::from_millis(120_000 + u64::from(signups) * 100 + events * 6_000)
}
