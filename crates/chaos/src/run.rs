//! The run from its set-up to its numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use auth0_signup::clock::{Clock as _, SystemClock};
use auth0_signup::config;
use auth0_signup::ledger::{self, Access, Attempt, AttemptState, Digests, Find, Ledger};
use auth0_signup::lifecycle::Lifecycle;
use auth0_signup::telemetry::LedgerMetrics;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::check::check;
use super::client::{Heard, Story, World};
use super::crowd::{Person, crowd};
use super::database::Database;
use super::faults::Dealer;
use super::finding::{Count, Findings};
use super::history::history;
use super::menu;
use super::options::Options;
use super::service::{self, Service};

/// How often the progress and the services are looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long after its moment has come a kill happens, and how long the service stays down.
const KILL: Duration = Duration::from_millis(300);

/// How long the settler may take at the end.
const SETTLING: Duration = Duration::from_mins(5);

/// How many of those with a wrong outcome are told about in full.
const TOLD: usize = 10;

/// Runs; whether nothing was found to be wrong.
pub(crate) async fn run(options: Options) -> anyhow::Result<bool> {
    let program = service::program(options.service.as_deref())?;
    let seed = options.seed.unwrap_or_else(rand::random);
    let folder = std::env::temp_dir().join(format!("chaos-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder)?;
    say(&format!("seed {seed}, folder {}", folder.display()));
    let database = Database::make(&options, &folder).await?;
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

/// What a run consists of.
struct Run {
    options: Options,
    seed: u64,
    auth0: Emulator,
    dealer: Dealer,
    services: Vec<Service>,
    world: Arc<World>,
    ledger: Arc<dyn Ledger>,
    digests: Digests,
    began: Instant,
}

impl Run {
    async fn set_up(
        options: Options,
        seed: u64,
        folder: &Path,
        program: &Path,
        database: &str,
    ) -> anyhow::Result<Self> {
        let auth0 = Emulator::builder().journal_limit(usize::MAX).start().await?;
        let settings = settings(auth0.url(), database);
        let log = |replica| -> PathBuf { folder.join(format!("service-{replica}.log")) };
        let service = |replica| Service::new(program, settings.clone(), log(replica));
        let services = (1..=options.replicas).map(service).collect::<Result<Vec<_>, _>>()?;
        let variables = settings.iter().map(|(name, value)| (name.into(), value.into()));
        let kept = config::load(None, variables)?.ledger;
        let digests = ledger::digests(&kept)?;
        let now = SystemClock.now();
        let lifecycle = Lifecycle::new();
        let unseen = LedgerMetrics::default();
        let opened = ledger::open(&kept, &digests, Access::Cli, now, &lifecycle, &unseen);
        let ledger = opened.await?;
        let (signups, kills) = (u64::from(options.signups), u64::from(options.kills));
        let patience = Duration::from_millis(120_000 + signups * 100 + kills * 3_000);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15));
        let world = World {
            client: client.build()?,
            urls: services.iter().map(|service| service.url.clone()).collect(),
            requests: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            deadline: Instant::now() + patience,
        };
        let dealer = Dealer::new(seed.wrapping_add(1), options.faults);
        let (world, began) = (Arc::new(world), Instant::now());
        Ok(Self { options, seed, auth0, dealer, services, world, ledger, digests, began })
    }

    /// Everything after the set-up.
    async fn go(mut self) -> anyhow::Result<bool> {
        let people = crowd(self.options.signups, self.seed);
        self.dealer.deal_to(&self.auth0);
        for service in &mut self.services {
            service.start()?;
        }
        let world = Arc::clone(&self.world);
        let driving = drive(&world, people, self.options.concurrency);
        let (stories, killed) = tokio::join!(driving, self.kill());
        killed?;
        let stories = stories?;
        let rows = self.settle().await?;
        let one_memory = self.options.replicas == 1;
        let findings = check(&self.auth0, &stories, &rows, &self.digests, one_memory);
        self.tell(&stories, &rows, &findings);
        Ok(findings.all.is_empty())
    }

    /// Kills and starts the services as the seed says, until every client has begun; then ends the
    /// faults.
    async fn kill(&mut self) -> anyhow::Result<()> {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(2));
        let (signups, kills) = (self.options.signups, self.options.kills);
        let mut moments: Vec<u64> =
            (0..kills).map(|_| rng.random_range(0..u64::from(signups))).collect();
        moments.sort_unstable();
        let (auth0, dealer) = (&self.auth0, self.dealer.clone());
        let (services, world) = (&mut self.services, &self.world);
        let killing = async {
            for moment in moments {
                until_begun(moment, world, services).await?;
                sleep(rng.random_range(Duration::ZERO..KILL)).await;
                let index = rng.random_range(0..services.len());
                let service = services.get_mut(index).context("a service")?;
                service.kill()?;
                world.kills.fetch_add(1, Ordering::Relaxed);
                sleep(rng.random_range(Duration::ZERO..KILL)).await;
                service.start()?;
            }
            until_begun(signups.into(), world, services).await
        };
        let killed = tokio::select! {
            killed = killing => killed,
            () = dealer.revoke(auth0) => Ok(()),
        };
        self.auth0.clear_faults();
        killed
    }

    /// Waits until nothing is open in the ledger, and returns all of it.
    async fn settle(&mut self) -> anyhow::Result<Vec<Attempt>> {
        let end = Instant::now() + SETTLING;
        // What the tenant is still to act on has to be acted on.
        sleep(menu::NOT_CREATED_AFTER).await;
        while self.is_unsettled().await? && Instant::now() < end {
            still_there(&mut self.services)?;
            sleep(TICK * 20).await;
        }
        Ok(self.ledger.find(Find::All, usize::MAX).await?)
    }

    async fn is_unsettled(&self) -> anyhow::Result<bool> {
        for state in AttemptState::ALL.into_iter().filter(|state| !state.is_settled()) {
            if !self.ledger.find(Find::State(state), 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn tell(&self, stories: &[(Person, Vec<Story>)], rows: &[Attempt], findings: &Findings) {
        let journal = self.auth0.journal();
        for finding in findings.all.iter().take(TOLD) {
            say(&format!("{:?}: {}", finding.count, finding.what));
            if let Some((person, stories)) = finding.person.and_then(|index| stories.get(index)) {
                say(&history(person, stories, &journal, &self.dealer));
            }
        }
        let dealt = self.dealer.dealt();
        say("faults:");
        for (name, times) in &dealt {
            say(&format!("  {times:>6} {name}"));
        }
        say("heard:");
        for (heard, times) in heard(stories) {
            say(&format!("  {times:>6} {heard}"));
        }
        let Options { signups, database, replicas, concurrency, .. } = self.options;
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        say(&format!(
            "{signups} sign-ups by {people} people, {concurrency} at once, on {database:?} with \
             {replicas} replica(s): {requests} requests, {calls} calls at the tenant, {faults} \
             faults, {kills} kills and restarts, {users} users, {rows} rows, {seconds} s, seed {seed}",
            people = stories.len(),
            requests = number(&self.world.requests),
            calls = journal.len(),
            faults = dealt.values().sum::<u64>(),
            kills = number(&self.world.kills),
            users = self.auth0.users().len(),
            rows = rows.len(),
            seconds = self.began.elapsed().as_secs(),
            seed = self.seed,
        ));
        say(&format!(
            "without a key, not known again after a kill or by another replica, as documented: {}",
            findings.forgotten
        ));
        let count = |count| findings.count(count);
        say(&format!(
            "created twice {}\nlost {}\nunknown {}",
            count(Count::Twice),
            count(Count::Lost),
            count(Count::Unknown)
        ));
    }
}

/// How often clients heard what.
fn heard(stories: &[(Person, Vec<Story>)]) -> BTreeMap<String, u64> {
    let mut count = BTreeMap::new();
    let stories = stories.iter().flat_map(|(_, stories)| stories);
    for (_, heard) in stories.flat_map(|story| &story.heard) {
        let name = match heard {
            Heard::Created(_) => "created".to_owned(),
            other => other.to_string(),
        };
        *count.entry(name).or_default() += 1;
    }
    count
}

/// Lets everybody sign up.
async fn drive(
    world: &Arc<World>,
    people: Vec<Person>,
    concurrency: u32,
) -> anyhow::Result<Vec<(Person, Vec<Story>)>> {
    let places = Arc::new(Semaphore::new(usize::try_from(concurrency)?));
    let mut under_way = JoinSet::new();
    let mut stories = Vec::with_capacity(people.len());
    for person in people {
        let clients = u32::try_from(person.clients.len())?;
        let place = Arc::clone(&places).acquire_many_owned(clients).await?;
        let world = Arc::clone(world);
        under_way.spawn(async move {
            let [first, second] = [person.clients.first(), person.clients.get(1)];
            let sign_up = async |plan| match plan {
                Some(plan) => Some(world.sign_up(&person, plan).await),
                None => None,
            };
            let (first, second) = tokio::join!(sign_up(first), sign_up(second));
            drop(place);
            (person.clone(), first.into_iter().chain(second).collect())
        });
        while let Some(story) = under_way.try_join_next() {
            stories.push(story?);
        }
    }
    while let Some(story) = under_way.join_next().await {
        stories.push(story?);
    }
    Ok(stories)
}

/// Waits until so many clients have begun.
async fn until_begun(many: u64, world: &World, services: &mut [Service]) -> anyhow::Result<()> {
    while world.begun.load(Ordering::Relaxed) < many {
        still_there(services)?;
        sleep(TICK).await;
    }
    Ok(())
}

fn still_there(services: &mut [Service]) -> anyhow::Result<()> {
    for service in services {
        if let Some(status) = service.ended()? {
            anyhow::bail!("the service on {} ended by itself: {status}", service.url);
        }
    }
    Ok(())
}

/// The service's whole environment but for its port.
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
        ("SIGNUP__AUTH0__TIMEOUT_MS", millis(menu::TIMEOUT)),
        ("SIGNUP__AUTH0__CONNECT_TIMEOUT_MS", millis(menu::TIMEOUT / 2)),
        ("SIGNUP__IDEMPOTENCY__WAIT_MS", millis(menu::TIMEOUT * 3)),
        ("SIGNUP__RECONCILIATION__NOT_CREATED_AFTER_MS", millis(menu::NOT_CREATED_AFTER)),
        ("SIGNUP__LOG__FORMAT", "json".to_owned()),
        ("SIGNUP__LOG__LEVEL", "warn".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

#[expect(clippy::print_stdout, reason = "the run's whole purpose is to be read")]
fn say(line: &str) {
    println!("{line}");
}
