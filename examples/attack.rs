//! What an attacker gets past the service, with the limits and challenges as they are by default, and
//! what becomes of honest people meanwhile.
//!
//! ```console
//! cargo run --release --example attack
//! ```
//!
//! Each attack meets a service of its own behind a trusted proxy, save where the forged header is the
//! attack. One honest person in every 100 ms signs up beside it, each from an address of their own and
//! without a proof. Printed: what was answered, how many create calls reached the tenant, and how the
//! honest fared.

#![expect(clippy::print_stdout, reason = "prints figures")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use altcha::{Challenge, SolveChallengeOptions, solve_challenge};
use anyhow::Context as _;
use auth0_emulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Latency, Plan, Policy, Route,
};
use auth0_signup::app::App;
use auth0_signup::clock::SystemClock;
use auth0_signup::config;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Honest people beside each attack.
const HONEST: u32 = 40;
/// One of them every so often.
const EVERY: Duration = Duration::from_millis(100);
/// Requests of an attacker under way at once.
const AT_ONCE: usize = 64;

/// One request of an attacker: where it says it comes from, and its form.
type Shot = (String, Value);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let person = |n: u32| json!({ "email": format!("bot{n}@example.com"), "password": PASSWORD });
    shots("2,000 posts of one address", true, (0..2_000).map(|n| ("192.0.2.1".into(), person(n))))
        .await?;
    let site = |n: u32| format!("2001:db8:7:{n:x}::1");
    shots(
        "2,000 posts of a /48, each of another /64",
        true,
        (0..2_000).map(|n| (site(n), person(n))),
    )
    .await?;
    let address = |n: u32| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    shots("10,000 addresses, a post each", true, (0..10_000).map(|n| (address(n), person(n))))
        .await?;
    shots("2,000 forged X-Forwarded-For, proxy not trusted", false, {
        (0..2_000).map(|n| (address(n), person(n)))
    })
    .await?;
    let stuffing = |n: u32| {
        let password = format!("Stolen-Password-{n}");
        json!({ "email": format!("known{}@example.com", n % 5), "password": password })
    };
    shots("credential stuffing, 5 known addresses from 2,000", true, {
        (0..2_000).map(|n| (address(n), stuffing(n)))
    })
    .await?;
    let robot = |n: u32| {
        let mut form = person(n);
        if let Some(form) = form.as_object_mut() {
            form.insert("subject".into(), "buy".into());
        }
        form
    };
    shots("500 robots that fill in the honeypot", true, (0..500).map(|n| (address(n), robot(n))))
        .await?;
    replayed_proof().await?;
    closed_out().await?;
    slow_clients().await
}

const PASSWORD: &str = "Difference-Engine-1843";

/// A tenant and a service in front of it.
struct Target {
    tenant: Emulator,
    address: SocketAddr,
    client: Client,
    folder: std::path::PathBuf,
    running: JoinSet<()>,
}

impl Target {
    async fn start(trusted: bool) -> anyhow::Result<Self> {
        let tenant = Emulator::builder().tenant(|tenant| {
            tenant.plan = Plan::Custom { burst: 1_000, per_second: 1_000.0 };
            tenant.latency = Latency::FixedMs(20);
        });
        let tenant = tenant.start().await?;
        let folder = std::env::temp_dir().join(format!("attack-{:032x}", rand::random::<u128>()));
        let database = format!("sqlite://{}", folder.join("signup.db").display());
        let variables = [
            ("AUTH0_DOMAIN", tenant.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("PORT", "0"),
            ("SIGNUP__ADMIN__PORT", "0"),
            ("DATABASE_URL", database.as_str()),
            ("SIGNUP__HTTP__TRUSTED_PROXIES", if trusted { "127.0.0.1" } else { "" }),
        ];
        let variables = variables.map(|(name, value)| (OsString::from(name), value.into()));
        let none: Option<&Path> = None;
        let settings = config::load(none, variables).ok().context("the settings are wrong")?;
        let app = App::start(settings, Arc::new(SystemClock)).await?;
        let address = app.public_address()?;
        let mut running = JoinSet::new();
        running.spawn(app.run(std::future::pending()));
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { tenant, address, client, folder, running })
    }

    /// The status of a sign-up from there.
    async fn post(&self, shot: Shot) -> anyhow::Result<u16> {
        post(self.client.clone(), self.address, shot).await
    }

    /// Honest people, until all have signed up: how many did, and how long the slowest waited.
    fn honest(&self, network: &'static str) -> JoinSet<anyhow::Result<(u16, Duration)>> {
        let mut people = JoinSet::new();
        for n in 0..HONEST {
            let (client, address) = (self.client.clone(), self.address);
            people.spawn(async move {
                sleep(EVERY * n).await;
                let form =
                    json!({ "email": format!("honest{n}@example.com"), "password": PASSWORD });
                let began = Instant::now();
                let status = post(client, address, (format!("{network}.{n}"), form)).await?;
                Ok((status, began.elapsed()))
            });
        }
        people
    }

    /// Tells what came of it, and ends.
    async fn end(
        mut self,
        name: &str,
        answers: BTreeMap<u16, usize>,
        mut honest: JoinSet<anyhow::Result<(u16, Duration)>>,
    ) -> anyhow::Result<()> {
        let mut times = Vec::new();
        let mut refused = 0;
        while let Some(one) = honest.join_next().await {
            match one?? {
                (201, took) => times.push(took),
                _ => refused += 1,
            }
        }
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied();
        let calls = self.tenant.calls(Route::CreateUser);
        let honest = |entry: &&auth0_emulator::Entry| entry.body.windows(6).any(|b| b == b"honest");
        let reached = calls.len() - calls.iter().filter(honest).count();
        println!("{name}");
        println!("  answered {answers:?}; {reached} create calls reached the tenant");
        println!(
            "  honest: {} of {} signed up, p50 {:.0?}, p95 {:.0?}",
            times.len(),
            times.len() + refused,
            at(50).unwrap_or_default(),
            at(95).unwrap_or_default(),
        );
        self.running.shutdown().await;
        self.tenant.shutdown().await;
        std::fs::remove_dir_all(self.folder)?;
        Ok(())
    }
}

async fn post(client: Client, address: SocketAddr, shot: Shot) -> anyhow::Result<u16> {
    let (from, form) = shot;
    let request = client.post(format!("http://{address}/signup")).json(&form);
    let answer = request.header("x-forwarded-for", from).send().await?;
    let status = answer.status().as_u16();
    drop(answer.bytes().await?);
    Ok(status)
}

/// As many requests as an attacker has, a bounded number at once.
async fn shots(name: &str, trusted: bool, shots: impl Iterator<Item = Shot>) -> anyhow::Result<()> {
    let target = Target::start(trusted).await?;
    // Behind a proxy that is not trusted all are one; the honest are of the attacker's address then.
    let honest = if trusted { target.honest("198.51.100") } else { JoinSet::new() };
    let mut answers = BTreeMap::new();
    let mut under_way: JoinSet<anyhow::Result<u16>> = JoinSet::new();
    for shot in shots {
        if under_way.len() >= AT_ONCE
            && let Some(answer) = under_way.join_next().await
        {
            *answers.entry(answer??).or_default() += 1;
        }
        under_way.spawn(post(target.client.clone(), target.address, shot));
    }
    while let Some(answer) = under_way.join_next().await {
        *answers.entry(answer??).or_default() += 1;
    }
    target.end(name, answers, honest).await
}

/// A proof of work, as the widget puts it into a form.
async fn proof(target: &Target, from: &str) -> anyhow::Result<String> {
    let request = target.client.get(format!("http://{}/signup/challenge", target.address));
    let offer = request.header("x-forwarded-for", from).send().await?.text().await?;
    let challenge: Challenge = serde_json::from_str(&offer)?;
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge));
    let solution = solution.ok().flatten().context("no solution")?;
    Ok(STANDARD.encode(json!({ "challenge": challenge, "solution": solution }).to_string()))
}

/// One proof, sent from a thousand addresses.
async fn replayed_proof() -> anyhow::Result<()> {
    let target = Target::start(true).await?;
    let honest = target.honest("198.51.100");
    let proof = proof(&target, "192.0.2.1").await?;
    let mut answers = BTreeMap::new();
    for n in 0..1_000 {
        let form = json!({
            "email": format!("bot{n}@example.com"), "password": PASSWORD, "altcha": proof,
        });
        let status = target.post((format!("192.0.2.{}", n % 250), form)).await?;
        *answers.entry(status).or_default() += 1;
    }
    target.end("one proof, sent 1,000 times", answers, honest).await
}

/// Somebody uses a victim's permits up; the victim then brings a proof.
async fn closed_out() -> anyhow::Result<()> {
    let target = Target::start(true).await?;
    let honest = target.honest("198.51.100");
    let mut answers = BTreeMap::new();
    // The tenant refuses what the service passes: an attempt is spent, and no user is made.
    target.tenant.tenant(|tenant| tenant.policy = Policy::Excellent);
    for n in 0..600 {
        let form = json!({ "email": "victim@example.com", "password": format!("Abcde{n:03}") });
        let status = target.post((format!("192.0.2.{}", n % 250), form)).await?;
        *answers.entry(status).or_default() += 1;
    }
    let from = "198.51.100.200";
    let proof = proof(&target, from).await?;
    let form = json!({ "email": "victim@example.com", "password": PASSWORD, "altcha": proof });
    let status = target.post((from.into(), form)).await?;
    println!("the owner, with a proof, is answered {status}");
    target.end("600 attempts that use a victim's permits up", answers, honest).await
}

/// Connections that say nothing, half a head, or half a body.
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
                // One that was refused already cannot be written to.
                drop(stream.write_all(half.as_bytes()).await);
                held.push(stream);
            }
        }
    }
    let honest = target.honest("198.51.100");
    let answers = BTreeMap::from([(0, held.len())]);
    target.end("3,000 slow clients (silent, half a head, half a body)", answers, honest).await?;
    drop(held);
    Ok(())
}
