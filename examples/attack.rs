//! What an attacker gets past the service, with the limits and challenges as they are by default, and
//! what becomes of honest people meanwhile.
//!
//! ```console
//! cargo run --release --example attack
//! ```
//!
//! Each attack meets a service of its own behind a trusted proxy, save where the forged header is the
//! attack. One honest person in every 100 ms signs up beside it, each from an address of their own, and
//! brings a proof of work when asked for one. Printed: what was answered, how many create calls reached
//! the tenant, and how the honest fared.

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

    /// The status of a sign-up from there.
    async fn post(&self, shot: Shot) -> anyhow::Result<u16> {
        post(&self.client, self.address, shot).await
    }

    /// Honest people: they bring a proof when they are asked for one, as `/signup.js` does.
    fn honest(&self) -> JoinSet<anyhow::Result<Honest>> {
        let mut people = JoinSet::new();
        for n in 0..HONEST {
            let (client, address) = (self.client.clone(), self.address);
            people.spawn(async move {
                sleep(EVERY * n).await;
                let email = format!("honest{n}@example.com");
                let from = format!("198.51.100.{n}");
                let form = json!({ "email": email, "password": PASSWORD });
                let began = Instant::now();
                let mut status = post(&client, address, (from.clone(), form)).await?;
                let is_proven = matches!(status, 403 | 429);
                if is_proven {
                    let proof = proof(&client, address, &from).await?;
                    let form = json!({ "email": email, "password": PASSWORD, "altcha": proof });
                    status = post(&client, address, (from, form)).await?;
                }
                Ok(Honest { status, took: began.elapsed(), is_proven })
            });
        }
        people
    }

    /// Tells what came of it, and ends.
    async fn end(
        mut self,
        name: &str,
        answers: BTreeMap<u16, usize>,
        mut honest: JoinSet<anyhow::Result<Honest>>,
    ) -> anyhow::Result<()> {
        let mut times = Vec::new();
        let (mut refused, mut proven) = (0, 0);
        while let Some(one) = honest.join_next().await {
            let Honest { status, took, is_proven } = one??;
            if status == 201 {
                times.push(took);
            } else {
                refused += 1;
            }
            proven += usize::from(is_proven);
        }
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied();
        let calls = self.tenant.calls(Route::CreateUser);
        let honest =
            |entry: &&auth0_emulator::JournalEntry| entry.body.windows(6).any(|b| b == b"honest");
        let reached = calls.len() - calls.iter().filter(honest).count();
        println!("{name}");
        println!("  answered {answers:?}; {reached} create calls reached the tenant");
        println!(
            "  honest: {} of {} signed up, {proven} with a proof, p50 {:.0?}, p95 {:.0?}",
            times.len(),
            times.len() + refused,
            at(50).unwrap_or_default(),
            at(95).unwrap_or_default(),
        );
        self.running.shutdown().await;
        self.tenant.shutdown().await;
        drop(self.folder);
        Ok(())
    }
}

/// How an honest person fared.
struct Honest {
    status: u16,
    took: Duration,
    /// Whether a proof was asked for.
    is_proven: bool,
}

async fn post(client: &Client, address: SocketAddr, shot: Shot) -> anyhow::Result<u16> {
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
    let honest = if trusted { target.honest() } else { JoinSet::new() };
    let mut answers = BTreeMap::new();
    let mut under_way: JoinSet<anyhow::Result<u16>> = JoinSet::new();
    for shot in shots {
        if under_way.len() >= AT_ONCE
            && let Some(answer) = under_way.join_next().await
        {
            *answers.entry(answer??).or_default() += 1;
        }
        let (client, address) = (target.client.clone(), target.address);
        under_way.spawn(async move { post(&client, address, shot).await });
    }
    while let Some(answer) = under_way.join_next().await {
        *answers.entry(answer??).or_default() += 1;
    }
    target.end(name, answers, honest).await
}

/// A proof of work, as the widget puts it into a form.
async fn proof(client: &Client, address: SocketAddr, from: &str) -> anyhow::Result<String> {
    let request = client.get(format!("http://{address}/signup/challenge"));
    let offer = request.header("x-forwarded-for", from).send().await?.text().await?;
    let challenge: Challenge = serde_json::from_str(&offer)?;
    // As long as a person's own machine needs: not on a thread that others wait for.
    let solved = spawn_blocking(move || {
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).ok().flatten()?;
        Some(json!({ "challenge": challenge, "solution": solution }).to_string())
    });
    Ok(STANDARD.encode(solved.await?.context("no solution")?))
}

/// One proof, sent from a thousand addresses.
async fn replayed_proof() -> anyhow::Result<()> {
    let target = Target::start(true).await?;
    let honest = target.honest();
    let proof = proof(&target.client, target.address, "192.0.2.1").await?;
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
    let honest = target.honest();
    let mut answers = BTreeMap::new();
    // The tenant refuses what the service passes: an attempt is spent, and no user is made.
    target.tenant.tenant(|tenant| tenant.policy = PolicyPreset::Excellent);
    for n in 0..600 {
        let form = json!({ "email": "victim@example.com", "password": format!("Abcde{n:03}") });
        let status = target.post((format!("192.0.2.{}", n % 250), form)).await?;
        *answers.entry(status).or_default() += 1;
    }
    let from = "198.51.100.200";
    let proof = proof(&target.client, target.address, from).await?;
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
    let honest = target.honest();
    let answers = BTreeMap::from([(0, held.len())]);
    target.end("3,000 slow clients (silent, half a head, half a body)", answers, honest).await?;
    drop(held);
    Ok(())
}
