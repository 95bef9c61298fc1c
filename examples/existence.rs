//! Measures what `existence = "uniform"` still reveals about who has an account: an attacker sends
//! ten forms about each of thousands of addresses, half of them known, and guesses which.
//!
//! ```console
//! cargo run --release --example existence
//! scripts/with-postgres cargo run --release --example existence    # two replicas
//! ```
//!
//! The ten probes depend on one another: a fresh form, a duplicate and another password with its key
//! while it runs, the same afterwards, at the other replica where there is one, at Auth0's endpoint
//! and on the page. The tenant creates users as slowly as recorded ones were created (one of a hundred
//! takes 3.8 s), rejects known addresses four times as fast, and its lookups take 0.8 s. The service
//! starts again for every 1,200 addresses, so all of them fall into its first two minutes.

#![expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for measurements: prints figures, counts no more than thousands, has no shutdown"
)]

#[path = "existence/attacker.rs"]
mod attacker;
#[path = "existence/service.rs"]
mod service;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use auth0_emulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Fault, JournalEntry, Route,
};
use auth0_signup::config::PostgresUrl;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use attacker::{Seen, Trial, advantage};
use service::{Folder, start};

/// Addresses for each start of the service: those of its first two minutes.
const ADDRESSES: usize = 1_200;
/// The interval between two addresses. Each has ten forms, and their times must not show the load.
const INTERVAL: Duration = Duration::from_millis(100);
/// The default of `existence_uniform.floor_ms`.
const FLOOR_MS: u32 = 4_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let starts = std::env::args().nth(1).map_or(Ok(10), |starts| starts.parse())?;
    report("existence = reveal", &run("reveal", 0, ADDRESSES / 2).await?);
    report("existence = uniform, floor_ms = 0", &run("uniform", 0, ADDRESSES / 2).await?);
    let mut trials = Vec::new();
    for _ in 0..starts {
        trials.extend(run("uniform", FLOOR_MS, ADDRESSES).await?);
        report(&format!("existence = uniform, floor_ms = {FLOOR_MS}"), &trials);
    }
    Ok(())
}

/// Prints the attacker's advantage over guessing: with each probe alone, then with all ten.
fn report(title: &str, trials: &[Trial]) {
    println!("{title}: {} addresses", trials.len());
    let names = trials.first().into_iter().flat_map(|trial| &trial.probes).map(|(name, _)| *name);
    for name in names {
        let line = advantage(trials, |probe| probe == name);
        println!("  {name:45} {:5.2} % ± {:.2} %", line.mean * 100.0, line.margin * 100.0);
    }
    let all = advantage(trials, |_| true);
    println!("  {:45} {:5.2} % ± {:.2} %", "all ten", all.mean * 100.0, all.margin * 100.0);
}

/// A tenant with one replica of the service, or two.
struct Deployment {
    tenant: Emulator,
    replicas: Vec<SocketAddr>,
    running: JoinSet<bool>,
    stop: watch::Sender<bool>,
    _folders: Vec<Folder>,
}

impl Deployment {
    async fn start(existence: &str, floor_ms: u32) -> anyhow::Result<Self> {
        let tenant = Emulator::builder().start().await?;
        let database = database().await?;
        let count = if database.is_some() { 2 } else { 1 };
        let floor_ms = floor_ms.to_string();
        let mut settings = vec![
            ("SIGNUP__EXISTENCE", existence),
            ("SIGNUP__EXISTENCE_UNIFORM__FLOOR_MS", &floor_ms),
        ];
        if let Some(database) = &database {
            settings.push(("DATABASE_URL", database));
            settings.push(("SIGNUP__SECRETS__KEY", "0123456789abcdef0123456789abcdef"));
        }
        let (mut running, mut replicas, mut folders) = (JoinSet::new(), Vec::new(), Vec::new());
        let (stop, stopped) = watch::channel(false);
        for _ in 0..count {
            let folder = Folder::new();
            let app = start(&tenant, &folder, &settings).await?;
            replicas.push(app.public_address()?);
            let mut stopped = stopped.clone();
            running.spawn(app.run(async move { drop(stopped.wait_for(|stop| *stop).await) }));
            folders.push(folder);
        }
        Ok(Self { tenant, replicas, running, stop, _folders: folders })
    }
}

/// A new database of `TEST_DATABASE_URL`'s server, if there is one.
async fn database() -> anyhow::Result<Option<String>> {
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else { return Ok(None) };
    let name = format!("existence_{:032x}", rand::random::<u128>());
    let url = PostgresUrl::parse(&server.clone().into())?;
    let host = url.hosts.first().context("the server's URL has no host")?;
    let (connection, driver) = host.connect(NoTls).await?;
    tokio::spawn(driver);
    connection.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    Ok(Some(server.replace("/postgres?", &format!("/{name}?"))))
}

/// Starts the service, and sends the probes of this many addresses in its first minutes.
async fn run(existence: &str, floor_ms: u32, addresses: usize) -> anyhow::Result<Vec<Trial>> {
    let deployment = Deployment::start(existence, floor_ms).await?;
    let client = Client::builder().no_proxy().redirect(Policy::none()).build()?;
    let emails: Vec<(bool, String)> = (0..addresses)
        .map(|number| {
            let is_new = rand::random();
            let kind = if is_new { "fresh" } else { "known" };
            (is_new, format!("{kind}{number}@example.com"))
        })
        .collect();
    create_known(&client, &deployment.tenant, &emails).await?;
    let created = Mutex::new(HashSet::new());
    deployment.tenant.choose_faults(move |call| latency(call, &created));
    let mut tasks = JoinSet::new();
    for (is_new, email) in emails {
        let replicas = deployment.replicas.clone();
        let attack = Attack { client: client.clone(), replicas, floor_ms, email };
        tasks.spawn(async move { anyhow::Ok(Trial { is_new, probes: attack.run().await? }) });
        sleep(INTERVAL).await;
    }
    let mut trials = Vec::new();
    while let Some(trial) = tasks.join_next().await {
        trials.push(trial??);
    }
    let Deployment { tenant, running, stop, .. } = deployment;
    // Leaves no connection to the database.
    stop.send_replace(true);
    running.join_all().await;
    tenant.shutdown().await;
    Ok(trials)
}

/// Creates the known users at the tenant, so that the service knows nothing of them.
async fn create_known(
    client: &Client,
    tenant: &Emulator,
    emails: &[(bool, String)],
) -> anyhow::Result<()> {
    let credentials = json!({
        "grant_type": "client_credentials", "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET, "audience": tenant.audience(),
    });
    let token = client.post(format!("{}/oauth/token", tenant.url())).json(&credentials);
    let token: Value = token.send().await?.json().await?;
    let token = token["access_token"].as_str().context("a token")?;
    for (_, email) in emails.iter().filter(|(is_new, _)| !is_new) {
        let user = json!({
            "connection": "Username-Password-Authentication",
            "email": email, "password": "Their-Own-Password-1",
        });
        let create = client.post(format!("{}/api/v2/users", tenant.url())).bearer_auth(token);
        let status = create.json(&user).send().await?.status();
        anyhow::ensure!(status == 201, "a known user: {status}");
    }
    Ok(())
}

/// The recorded latencies of create calls (median 289 ms, 90th percentile 587 ms, 99th 3.8 s, at most
/// 5.2 s); a quarter of that if nothing is created. Lookups are slow.
fn latency(entry: &JournalEntry, created: &Mutex<HashSet<String>>) -> Option<Fault> {
    const CURVE: [(f64, f64); 5] =
        [(0.0, 140.0), (0.5, 289.0), (0.9, 587.0), (0.99, 3_800.0), (1.0, 5_200.0)];
    match entry.route() {
        Route::CreateUser => {}
        Route::GetUser | Route::UsersByEmail => {
            return Some(Fault::delay(Duration::from_millis(800)));
        }
        _ => return None,
    }
    let share: f64 = rand::random();
    let between = CURVE.windows(2).find(|pair| share <= pair[1].0)?;
    let ((from, low), (to, high)) = (between[0], between[1]);
    let took = Duration::from_secs_f64((low + (high - low) * (share - from) / (to - from)) / 1e3);
    let email = entry.json()["email"].as_str()?.to_owned();
    let mut created = created.lock();
    let creates = email.starts_with("fresh") && created.insert(email);
    Some(Fault::delay(if creates { took } else { took / 4 }))
}

/// The attack on one address.
struct Attack {
    client: Client,
    replicas: Vec<SocketAddr>,
    floor_ms: u32,
    email: String,
}

impl Attack {
    /// Sends the ten probes.
    async fn run(&self) -> anyhow::Result<Vec<(&'static str, Seen)>> {
        let key = format!("{:032x}", rand::random::<u128>());
        let password = || format!("Difference-Engine-{:016x}", rand::random::<u64>());
        let (mine, other) = (password(), password());
        let form = |password: &str| json!({ "email": self.email, "password": password });
        let (one, two) = (self.replicas[0], *self.replicas.last().context("a replica")?);
        let post =
            |replica: SocketAddr, path: &str| self.client.post(format!("http://{replica}{path}"));
        let keyed = |replica, password: &str| {
            post(replica, "/signup").header("idempotency-key", &key).json(&form(password))
        };
        let after = |ms| sleep(Duration::from_millis(ms));
        let (fresh, duplicate, reused, far_duplicate, far_reused) = tokio::join!(
            self.send(keyed(one, &mine)),
            async {
                after(50).await;
                self.send(keyed(one, &mine)).await
            },
            async {
                after(60).await;
                self.send(keyed(one, &other)).await
            },
            async {
                after(70).await;
                self.send(keyed(two, &mine)).await
            },
            async {
                after(200).await;
                self.send(keyed(two, &other)).await
            },
        );
        // At once afterwards, while a lookup of a known address runs.
        let (replay, reused_later, far_replay) = tokio::join!(
            self.send(keyed(one, &mine)),
            self.send(keyed(one, &other)),
            self.send(keyed(two, &mine)),
        );
        let page = post(one, "/signup").header("accept", "text/html");
        let fields =
            [("email", self.email.as_str()), ("password", &mine), ("idempotency_key", &key)];
        let (lock, page) = tokio::join!(
            self.send(post(one, "/dbconnections/signup").json(&form(&mine))),
            self.send(page.form(&fields)),
        );
        Ok(vec![
            ("fresh", fresh?),
            ("duplicate while it runs", duplicate?),
            ("another password while it runs", reused?),
            ("duplicate at the other replica", far_duplicate?),
            ("another password at the other replica", far_reused?),
            ("replay", replay?),
            ("another password afterwards", reused_later?),
            ("replay at the other replica", far_replay?),
            ("Auth0's endpoint", lock?),
            ("replay on the page", page?),
        ])
    }

    /// Sends a probe. Ids, dates and the address itself differ anyway.
    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Seen> {
        const IDS: [&str; 4] = ["date", "x-request-id", "ratelimit", "content-length"];
        let started = Instant::now();
        let response = request.send().await?;
        let head = response.headers().iter().filter(|(name, _)| !IDS.contains(&name.as_str()));
        let mut visible = format!("{} ", response.status());
        for (name, value) in head {
            visible.extend([name.as_str(), ": ", &format!("{value:?} ")]);
        }
        let body = response.text().await?;
        let time = started.elapsed().as_secs_f64() * 1e3 / f64::from(self.floor_ms.max(1_000));
        let mut body: Value = serde_json::from_str(&body).unwrap_or_default();
        if let Some(members) = body.as_object_mut() {
            members
                .retain(|name, _| !["_id", "email", "request_id", "user"].contains(&name.as_str()));
        }
        Ok(Seen { visible: format!("{visible} {body}"), time })
    }
}
