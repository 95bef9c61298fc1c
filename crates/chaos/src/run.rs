//! A chaos run, from setup to the final counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use auth0_signup::clock::{Clock as _, SystemClock};
use auth0_signup::config;
use auth0_signup::digest::Digests;
use auth0_signup::ledger::{self, Access, Attempt, AttemptState, Find, Ledger};
use auth0_signup::lifecycle::Lifecycle;
use auth0_signup::telemetry::LedgerMetrics;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::check::check;
use super::client::{ClientContext, ClientHistory, Observed};
use super::database::RunDatabase;
use super::fault_catalog;
use super::fault_injector::FaultInjector;
use super::finding::{FindingKind, Findings};
use super::history::format_history;
use super::options::ChaosOptions;
use super::people::{Person, generate_people};
use super::service::{self, ServiceProcess};

/// The interval at which progress and services are checked.
const TICK: Duration = Duration::from_millis(10);

/// The maximum delay before a kill, and the maximum time until the restart.
const MAX_KILL_DELAY: Duration = Duration::from_millis(300);

/// The time the reconciler has at the end.
const RESOLVE_TIMEOUT: Duration = Duration::from_mins(5);

/// The maximum number of findings reported in full.
const REPORTED: usize = 10;

/// Runs, and returns true if nothing was wrong.
pub(crate) async fn run(options: ChaosOptions) -> anyhow::Result<bool> {
    let program = service::program(options.service.as_deref())?;
    let seed = options.seed.unwrap_or_else(rand::random);
    let folder = std::env::temp_dir().join(format!("chaos-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder)?;
    print_line(&format!("seed {seed}, folder {}", folder.display()));
    let database = RunDatabase::create(&options, &folder).await?;
    let run = Run::set_up(options, seed, &folder, &program, &database.url).await?;
    let good = tokio::select! {
        good = run.go() => good,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    database.drop().await?;
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
    services: Vec<ServiceProcess>,
    context: Arc<ClientContext>,
    ledger: Arc<dyn Ledger>,
    digests: Digests,
    started_at: Instant,
}

impl Run {
    async fn set_up(
        options: ChaosOptions,
        seed: u64,
        folder: &Path,
        program: &Path,
        database: &str,
    ) -> anyhow::Result<Self> {
        let auth0 = Emulator::builder().journal_limit(usize::MAX).start().await?;
        let settings = settings(auth0.url(), database);
        let log = |replica| -> PathBuf { folder.join(format!("service-{replica}.log")) };
        let service = |replica| ServiceProcess::new(program, settings.clone(), log(replica));
        let services = (1..=options.replicas).map(service).collect::<Result<Vec<_>, _>>()?;
        let variables = settings.iter().map(|(name, value)| (name.into(), value.into()));
        let ledger_settings = config::load(None, variables)?.ledger;
        let digests = ledger::digests(&ledger_settings)?;
        let now = SystemClock.now();
        let lifecycle = Lifecycle::new();
        let metrics = LedgerMetrics::default();
        let opened =
            ledger::open(&ledger_settings, &digests, Access::Cli, now, &lifecycle, &metrics);
        let ledger = opened.await?;
        let (signups, kills) = (u64::from(options.signups), u64::from(options.kills));
        let time_limit = Duration::from_millis(120_000 + signups * 100 + kills * 3_000);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15));
        let context = ClientContext {
            client: client.build()?,
            urls: services.iter().map(|service| service.url.clone()).collect(),
            requests: AtomicU64::new(0),
            started: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            deadline: Instant::now() + time_limit,
        };
        let injector = FaultInjector::new(seed.wrapping_add(1), options.faults);
        let (context, started_at) = (Arc::new(context), Instant::now());
        Ok(Self { options, seed, auth0, injector, services, context, ledger, digests, started_at })
    }

    /// Runs everything after the setup.
    async fn go(mut self) -> anyhow::Result<bool> {
        let people = generate_people(self.options.signups, self.seed);
        self.injector.inject_into(&self.auth0);
        for service in &mut self.services {
            service.start()?;
        }
        let context = Arc::clone(&self.context);
        let driving = drive(&context, people, self.options.concurrency);
        let (histories, killed) = tokio::join!(driving, self.kill_services());
        killed?;
        let histories = histories?;
        let rows = self.wait_until_resolved().await?;
        let single_process = self.options.replicas == 1;
        let findings = check(&self.auth0, &histories, &rows, &self.digests, single_process);
        self.report(&histories, &rows, &findings);
        Ok(findings.all.is_empty())
    }

    /// Kills and restarts the services as the seed determines, until every client has started; then
    /// clears the faults.
    async fn kill_services(&mut self) -> anyhow::Result<()> {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(2));
        let (signups, kills) = (self.options.signups, self.options.kills);
        let mut moments: Vec<u64> =
            (0..kills).map(|_| rng.random_range(0..u64::from(signups))).collect();
        moments.sort_unstable();
        let (auth0, injector) = (&self.auth0, self.injector.clone());
        let (services, context) = (&mut self.services, &self.context);
        let killing = async {
            for moment in moments {
                wait_until_started(moment, context, services).await?;
                sleep(rng.random_range(Duration::ZERO..MAX_KILL_DELAY)).await;
                let index = rng.random_range(0..services.len());
                let service = services.get_mut(index).context("no such service")?;
                service.kill()?;
                context.kills.fetch_add(1, Ordering::Relaxed);
                sleep(rng.random_range(Duration::ZERO..MAX_KILL_DELAY)).await;
                service.start()?;
            }
            wait_until_started(signups.into(), context, services).await
        };
        let killed = tokio::select! {
            killed = killing => killed,
            () = injector.revoke_tokens(auth0) => Ok(()),
        };
        self.auth0.clear_faults();
        killed
    }

    /// Waits until no attempt in the ledger is pending, and returns all rows.
    async fn wait_until_resolved(&mut self) -> anyhow::Result<Vec<Attempt>> {
        let end = Instant::now() + RESOLVE_TIMEOUT;
        // Lets the tenant perform the calls that are still delayed.
        sleep(fault_catalog::NOT_CREATED_AFTER).await;
        while self.has_pending().await? && Instant::now() < end {
            check_running(&mut self.services)?;
            sleep(TICK * 20).await;
        }
        Ok(self.ledger.find(Find::All, usize::MAX).await?)
    }

    async fn has_pending(&self) -> anyhow::Result<bool> {
        for state in AttemptState::ALL.into_iter().filter(|state| !state.is_resolved()) {
            if !self.ledger.find(Find::State(state), 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn report(
        &self,
        histories: &[(Person, Vec<ClientHistory>)],
        rows: &[Attempt],
        findings: &Findings,
    ) {
        let journal = self.auth0.journal();
        for finding in findings.all.iter().take(REPORTED) {
            print_line(&format!("{:?}: {}", finding.kind, finding.description));
            if let Some((person, histories)) = finding.person.and_then(|index| histories.get(index))
            {
                print_line(&format_history(person, histories, &journal, &self.injector));
            }
        }
        let injected = self.injector.injected();
        print_line("faults:");
        for (name, times) in &injected {
            print_line(&format!("  {times:>6} {name}"));
        }
        print_line("observed:");
        for (observed, times) in count_observed(histories) {
            print_line(&format!("  {times:>6} {observed}"));
        }
        let ChaosOptions { signups, database, replicas, concurrency, .. } = self.options;
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        print_line(&format!(
            "{signups} sign-ups by {people} people, {concurrency} at once, on {database:?} with \
             {replicas} replica(s): {requests} requests, {calls} calls at the tenant, {faults} \
             faults, {kills} kills and restarts, {users} users, {rows} rows, {seconds} s, seed {seed}",
            people = histories.len(),
            requests = number(&self.context.requests),
            calls = journal.len(),
            faults = injected.values().sum::<u64>(),
            kills = number(&self.context.kills),
            users = self.auth0.users().len(),
            rows = rows.len(),
            seconds = self.started_at.elapsed().as_secs(),
            seed = self.seed,
        ));
        print_line(&format!(
            "requests without a key that were not linked after a kill or on another replica, as documented: {}",
            findings.unlinked
        ));
        let count = |count| findings.count(count);
        print_line(&format!(
            "created twice {}\nlost {}\nunknown {}",
            count(FindingKind::Duplicate),
            count(FindingKind::Lost),
            count(FindingKind::Unknown)
        ));
    }
}

/// Counts the results that clients observed.
fn count_observed(histories: &[(Person, Vec<ClientHistory>)]) -> BTreeMap<String, u64> {
    let mut count = BTreeMap::new();
    let histories = histories.iter().flat_map(|(_, histories)| histories);
    for (_, observed) in histories.flat_map(|client| &client.observed) {
        let name = match observed {
            Observed::Created(_) => "created".to_owned(),
            other => other.to_string(),
        };
        *count.entry(name).or_default() += 1;
    }
    count
}

/// Runs all sign-ups.
async fn drive(
    context: &Arc<ClientContext>,
    people: Vec<Person>,
    concurrency: u32,
) -> anyhow::Result<Vec<(Person, Vec<ClientHistory>)>> {
    let slots = Arc::new(Semaphore::new(usize::try_from(concurrency)?));
    let mut running = JoinSet::new();
    let mut histories = Vec::with_capacity(people.len());
    for person in people {
        let clients = u32::try_from(person.clients.len())?;
        let slot = Arc::clone(&slots).acquire_many_owned(clients).await?;
        let context = Arc::clone(context);
        running.spawn(async move {
            let [first, second] = [person.clients.first(), person.clients.get(1)];
            let sign_up = async |plan| match plan {
                Some(plan) => Some(context.sign_up(&person, plan).await),
                None => None,
            };
            let (first, second) = tokio::join!(sign_up(first), sign_up(second));
            drop(slot);
            (person.clone(), first.into_iter().chain(second).collect())
        });
        while let Some(client) = running.try_join_next() {
            histories.push(client?);
        }
    }
    while let Some(client) = running.join_next().await {
        histories.push(client?);
    }
    Ok(histories)
}

/// Waits until this many clients have started.
async fn wait_until_started(
    many: u64,
    context: &ClientContext,
    services: &mut [ServiceProcess],
) -> anyhow::Result<()> {
    while context.started.load(Ordering::Relaxed) < many {
        check_running(services)?;
        sleep(TICK).await;
    }
    Ok(())
}

fn check_running(services: &mut [ServiceProcess]) -> anyhow::Result<()> {
    for service in services {
        if let Some(status) = service.exit_status()? {
            anyhow::bail!("the service on {} exited unexpectedly: {status}", service.url);
        }
    }
    Ok(())
}

/// The service's whole environment, except the port.
fn settings(tenant: &str, database: &str) -> Vec<(String, String)> {
    let millis = |time: Duration| time.as_millis().to_string();
    let secret = format!("{:032x}", rand::random::<u128>());
    let variables = [
        ("AUTH0_DOMAIN", tenant.to_owned()),
        ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID.to_owned()),
        ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET.to_owned()),
        ("DATABASE_URL", database.to_owned()),
        ("SIGNUP__ADMIN__PORT", "0".to_owned()),
        ("SIGNUP__SECRETS__KEY", secret),
        ("SIGNUP__AUTH0__TIMEOUT_MS", millis(fault_catalog::TIMEOUT)),
        ("SIGNUP__AUTH0__CONNECT_TIMEOUT_MS", millis(fault_catalog::TIMEOUT / 2)),
        ("SIGNUP__IDEMPOTENCY__WAIT_MS", millis(fault_catalog::TIMEOUT * 3)),
        ("SIGNUP__RECONCILIATION__NOT_CREATED_AFTER_MS", millis(fault_catalog::NOT_CREATED_AFTER)),
        ("SIGNUP__LOG__FORMAT", "json".to_owned()),
        ("SIGNUP__LOG__LEVEL", "warn".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

#[expect(clippy::print_stdout, reason = "the run's whole purpose is to be read")]
fn print_line(line: &str) {
    println!("{line}");
}
