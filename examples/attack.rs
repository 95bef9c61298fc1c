//! Measures what an attacker achieves against the default limits and challenges, and the effect on
//! honest people.
//!
//! ```console
//! cargo run --release --example attack
//! ```
//!
//! Each attack runs against its own service behind a trusted proxy, except where forging the header
//! is the attack. Every 100 ms an honest person signs up beside it, each from a different address,
//! and solves a proof of work when asked. Prints the response statuses, the create calls that
//! reached the tenant, and the results of the honest people.

#![expect(clippy::print_stdout, reason = "prints figures")]

mod shared;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use altcha::{Challenge, SolveChallengeOptions, solve_challenge};
use anyhow::Context as _;
use auth0_emulator::{Emulator, Latency, Plan, PolicyPreset, Route};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use shared::{Folder, start};

/// The number of honest people beside each attack.
const HONEST_PEOPLE: u32 = 40;
/// The interval between two honest people.
const INTERVAL: Duration = Duration::from_millis(100);
/// The maximum number of concurrent requests of an attacker.
const CONCURRENCY: usize = 64;

/// One request of an attacker: its claimed client address, and its form.
type AttackRequest = (String, Value);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let person = |n: u32| json!({ "email": format!("bot{n}@example.com"), "password": PASSWORD });
    attack(
        "2,000 posts from one address",
        true,
        (0..2_000).map(|n| ("192.0.2.1".into(), person(n))),
    )
    .await?;
    let site = |n: u32| format!("2001:db8:7:{n:x}::1");
    attack(
        "2,000 posts from a /48, each from a different /64",
        true,
        (0..2_000).map(|n| (site(n), person(n))),
    )
    .await?;
    let address = |n: u32| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    attack("10,000 addresses, one post each", true, (0..10_000).map(|n| (address(n), person(n))))
        .await?;
    attack("2,000 forged X-Forwarded-For, proxy not trusted", false, {
        (0..2_000).map(|n| (address(n), person(n)))
    })
    .await?;
    let stuffing = |n: u32| {
        let password = format!("Stolen-Password-{n}");
        json!({ "email": format!("known{}@example.com", n % 5), "password": password })
    };
    attack("credential stuffing, 5 known addresses from 2,000", true, {
        (0..2_000).map(|n| (address(n), stuffing(n)))
    })
    .await?;
    let bot = |n: u32| {
        let mut form = person(n);
        if let Some(form) = form.as_object_mut() {
            form.insert("subject".into(), "buy".into());
        }
        form
    };
    attack("500 bots that fill in the honeypot", true, (0..500).map(|n| (address(n), bot(n))))
        .await?;
    replayed_proof().await?;
    exhausted_victim().await?;
    slow_clients().await
}

const PASSWORD: &str = "Difference-Engine-1843";

/// A tenant with a service in front of it.
struct Target {
    tenant: Emulator,
    address: SocketAddr,
    client: Client,
    folder: Folder,
    running: JoinSet<()>,
}

impl Target {
    async fn start(trusted: bool) -> anyhow::Result<Self> {
        let tenant = Emulator::builder().tenant(|tenant| {
            tenant.plan = Plan::Custom { burst: 1_000, per_second: 1_000.0 };
            tenant.latency = Latency::FixedMs(20);
        });
        let tenant = tenant.start().await?;
        let folder = Folder::new();
        let proxies = if trusted { "127.0.0.1" } else { "" };
        let proxies = ("SIGNUP__HTTP__TRUSTED_PROXIES", proxies);
        let app = start(&tenant, &folder, None, &[proxies]).await?;
        let address = app.public_address()?;
        let mut running = JoinSet::new();
        running.spawn(app.run(std::future::pending()));
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { tenant, address, client, folder, running })
    }

    /// Sends a request and returns the status.
    async fn post(&self, attack_request: AttackRequest) -> anyhow::Result<u16> {
        post(&self.client, self.address, attack_request).await
    }

    /// Starts the honest people. They send a proof when asked for one, as `/signup.js` does.
    fn honest(&self) -> JoinSet<anyhow::Result<HonestResult>> {
        let mut people = JoinSet::new();
        for n in 0..HONEST_PEOPLE {
            let (client, address) = (self.client.clone(), self.address);
            people.spawn(async move {
                sleep(INTERVAL * n).await;
                let email = format!("honest{n}@example.com");
                let from = format!("198.51.100.{n}");
                let form = json!({ "email": email, "password": PASSWORD });
                let started_at = Instant::now();
                let mut status = post(&client, address, (from.clone(), form)).await?;
                let needed_proof = matches!(status, 403 | 429);
                if needed_proof {
                    let proof = proof(&client, address, &from).await?;
                    let form = json!({ "email": email, "password": PASSWORD, "altcha": proof });
                    status = post(&client, address, (from, form)).await?;
                }
                Ok(HonestResult { status, took: started_at.elapsed(), needed_proof })
            });
        }
        people
    }

    /// Prints the results and shuts down.
    async fn report(
        mut self,
        name: &str,
        statuses: BTreeMap<u16, usize>,
        mut honest: JoinSet<anyhow::Result<HonestResult>>,
    ) -> anyhow::Result<()> {
        let mut times = Vec::new();
        let (mut failed, mut with_proof) = (0, 0);
        while let Some(one) = honest.join_next().await {
            let HonestResult { status, took, needed_proof } = one??;
            if status == 201 {
                times.push(took);
            } else {
                failed += 1;
            }
            with_proof += usize::from(needed_proof);
        }
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied();
        let calls = self.tenant.calls(Route::CreateUser);
        let honest =
            |entry: &&auth0_emulator::JournalEntry| entry.body.windows(6).any(|b| b == b"honest");
        let reached = calls.len() - calls.iter().filter(honest).count();
        println!("{name}");
        println!("  responses {statuses:?}; {reached} create calls reached the tenant");
        println!(
            "  honest: {} of {} signed up, {with_proof} with a proof, p50 {:.0?}, p95 {:.0?}",
            times.len(),
            times.len() + failed,
            at(50).unwrap_or_default(),
            at(95).unwrap_or_default(),
        );
        self.running.shutdown().await;
        self.tenant.shutdown().await;
        drop(self.folder);
        Ok(())
    }
}

/// The result of an honest person.
struct HonestResult {
    status: u16,
    took: Duration,
    /// Set if a proof was requested.
    needed_proof: bool,
}

async fn post(
    client: &Client,
    address: SocketAddr,
    attack_request: AttackRequest,
) -> anyhow::Result<u16> {
    let (from, form) = attack_request;
    let request = client.post(format!("http://{address}/signup")).json(&form);
    let response = request.header("x-forwarded-for", from).send().await?;
    let status = response.status().as_u16();
    drop(response.bytes().await?);
    Ok(status)
}

/// Runs an attack with a bounded number of concurrent requests.
async fn attack(
    name: &str,
    trusted: bool,
    requests: impl Iterator<Item = AttackRequest>,
) -> anyhow::Result<()> {
    let target = Target::start(trusted).await?;
    // Behind an untrusted proxy all clients share one address, so honest people would share the
    // attacker's limits.
    let honest = if trusted { target.honest() } else { JoinSet::new() };
    let mut statuses = BTreeMap::new();
    let mut running: JoinSet<anyhow::Result<u16>> = JoinSet::new();
    for attack_request in requests {
        if running.len() >= CONCURRENCY
            && let Some(result) = running.join_next().await
        {
            *statuses.entry(result??).or_default() += 1;
        }
        let (client, address) = (target.client.clone(), target.address);
        running.spawn(async move { post(&client, address, attack_request).await });
    }
    while let Some(result) = running.join_next().await {
        *statuses.entry(result??).or_default() += 1;
    }
    target.report(name, statuses, honest).await
}

/// A proof of work in the format that the widget adds to a form.
async fn proof(client: &Client, address: SocketAddr, from: &str) -> anyhow::Result<String> {
    let request = client.get(format!("http://{address}/signup/challenge"));
    let challenge_json = request.header("x-forwarded-for", from).send().await?.text().await?;
    let challenge: Challenge = serde_json::from_str(&challenge_json)?;
    // Takes as long as on a person's own machine, so it must not block a runtime thread.
    let solved = spawn_blocking(move || {
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).ok().flatten()?;
        Some(json!({ "challenge": challenge, "solution": solution }).to_string())
    });
    Ok(STANDARD.encode(solved.await?.context("no solution")?))
}

/// Sends one proof from many addresses, a thousand times.
async fn replayed_proof() -> anyhow::Result<()> {
    let target = Target::start(true).await?;
    let honest = target.honest();
    let proof = proof(&target.client, target.address, "192.0.2.1").await?;
    let mut statuses = BTreeMap::new();
    for n in 0..1_000 {
        let form = json!({
            "email": format!("bot{n}@example.com"), "password": PASSWORD, "altcha": proof,
        });
        let status = target.post((format!("192.0.2.{}", n % 250), form)).await?;
        *statuses.entry(status).or_default() += 1;
    }
    target.report("one proof, sent 1,000 times", statuses, honest).await
}

/// Uses up a victim's permits; the victim then sends a proof.
async fn exhausted_victim() -> anyhow::Result<()> {
    let target = Target::start(true).await?;
    let honest = target.honest();
    let mut statuses = BTreeMap::new();
    // The tenant rejects what the service accepts: an attempt is used up, and no user is created.
    target.tenant.tenant(|tenant| tenant.policy = PolicyPreset::Excellent);
    for n in 0..600 {
        let form = json!({ "email": "victim@example.com", "password": format!("Abcde{n:03}") });
        let status = target.post((format!("192.0.2.{}", n % 250), form)).await?;
        *statuses.entry(status).or_default() += 1;
    }
    let from = "198.51.100.200";
    let proof = proof(&target.client, target.address, from).await?;
    let form = json!({ "email": "victim@example.com", "password": PASSWORD, "altcha": proof });
    let status = target.post((from.into(), form)).await?;
    println!("the owner, with a proof, got {status}");
    target.report("600 attempts that use up a victim's permits", statuses, honest).await
}

/// Opens connections that send nothing, half a header, or half a body.
async fn slow_clients() -> anyhow::Result<()> {
    const EACH: usize = 1_000;
    const HALVES: [&str; 3] = [
        "",
        "POST /signup HTTP/1.1\r\nHost: a\r\n",
        "POST /signup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    ];
    let target = Target::start(true).await?;
    let mut held = Vec::new();
    for half in HALVES {
        for _ in 0..EACH {
            if let Ok(mut stream) = TcpStream::connect(target.address).await {
                // The service may already have closed the connection, so writing to it fails.
                drop(stream.write_all(half.as_bytes()).await);
                held.push(stream);
            }
        }
    }
    let honest = target.honest();
    let statuses = BTreeMap::from([(0, held.len())]);
    target
        .report("3,000 slow clients (silent, half a head, half a body)", statuses, honest)
        .await?;
    drop(held);
    Ok(())
}
