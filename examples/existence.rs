//! Measures what `existence = "uniform"` still reveals about who has an account: thousands of
//! sign-ups with new and known addresses, and whether their response times differ.
//!
//! ```console
//! cargo run --example existence
//! ```
//!
//! The tenant creates users as slowly as in recordings, and rejects known addresses four times as
//! fast. The two samples are compared with the two-sample Kolmogorov-Smirnov test.

#![expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "prints figures, and counts no more than thousands"
)]

mod shared;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use auth0_emulator::{Emulator, Fault, JournalEntry, Route};
use reqwest::Client;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use shared::{Folder, start};

/// The number of sign-ups of each kind.
const TRIALS: u32 = 3_000;
/// The number of earlier sign-ups, from which the service learns its usual response times.
const WARM_UP: u32 = 600;
/// The interval between two sign-ups.
const INTERVAL: Duration = Duration::from_millis(12);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for existence in ["reveal", "uniform"] {
        run(existence).await?;
    }
    Ok(())
}

async fn run(existence: &str) -> anyhow::Result<()> {
    let tenant = Emulator::builder().start().await?;
    tenant.choose_faults(latency);
    let folder = Folder::new();
    let bench = Some(Path::new("config/bench.toml"));
    let app = start(&tenant, &folder, bench, &[("SIGNUP__EXISTENCE", existence)]).await?;
    let address = app.public_address()?;
    let mut running = JoinSet::new();
    running.spawn(app.run(std::future::pending()));
    let client = Client::builder().no_proxy().build()?;
    sign_up(client.clone(), address, "known0@example.com".into()).await?;

    let mut tasks = JoinSet::new();
    for number in 0..WARM_UP + 2 * TRIALS {
        // Known and new alternate, so that external disturbances affect both.
        let new = number < WARM_UP || number % 2 == 0;
        let email =
            if new { format!("new{number}@example.com") } else { "known0@example.com".into() };
        let client = client.clone();
        tasks.spawn(async move {
            let took = sign_up(client, address, email).await?;
            anyhow::Ok((number >= WARM_UP, new, took))
        });
        sleep(INTERVAL).await;
    }
    let (mut new, mut known) = (Vec::new(), Vec::new());
    while let Some(result) = tasks.join_next().await {
        match result?? {
            (false, _, _) => {}
            (true, true, took) => new.push(took.as_secs_f64()),
            (true, false, took) => known.push(took.as_secs_f64()),
        }
    }
    new.sort_by(f64::total_cmp);
    known.sort_by(f64::total_cmp);
    println!("existence = {existence}, seconds:");
    for (name, sample) in [("new", &new), ("known", &known)] {
        let at = |share: f64| quantile(sample, share);
        println!(
            "  {name:5}  n {}  p10 {:.3}  p50 {:.3}  p90 {:.3}  p95 {:.3}  p99 {:.3}",
            sample.len(),
            at(0.10),
            at(0.50),
            at(0.90),
            at(0.95),
            at(0.99)
        );
    }
    let distance = distance(&new, &known);
    println!(
        "  Kolmogorov-Smirnov: D {distance:.4}, p {:.3}",
        p_value(distance, new.len(), known.len())
    );
    running.shutdown().await;
    tenant.shutdown().await;
    drop(folder);
    Ok(())
}

/// The recorded latencies of create calls (median 289 ms, 90th percentile 587 ms, 99th percentile
/// seconds); a quarter of that if nothing is created.
fn latency(entry: &JournalEntry) -> Option<Fault> {
    if entry.route() != Route::CreateUser {
        return None;
    }
    let share: f64 = rand::random();
    let ms = match share {
        low if low < 0.5 => 140.0 + low / 0.5 * 149.0,
        usual if usual < 0.9 => 289.0 + (usual - 0.5) / 0.4 * 298.0,
        slow => 587.0 + (slow - 0.9) / 0.1 * 2_000.0,
    };
    let known = entry.body.windows(6).any(|bytes| bytes == b"known0");
    let took = Duration::from_secs_f64(ms / 1e3);
    Some(Fault::delay(if known { took / 4 } else { took }))
}

/// Signs up and returns the response time.
async fn sign_up(client: Client, address: SocketAddr, email: String) -> anyhow::Result<Duration> {
    let password = format!("Difference-Engine-{:016x}", rand::random::<u64>());
    let form = json!({ "email": email, "password": password });
    let started = Instant::now();
    let response = client.post(format!("http://{address}/signup")).json(&form).send().await?;
    let status = response.status();
    drop(response.bytes().await?);
    anyhow::ensure!([201, 202, 409].contains(&status.as_u16()), "unexpected status {status}");
    Ok(started.elapsed())
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = Duration::from_secs(sorted.len() as u64).mul_f64(share).as_secs();
    usize::try_from(at).ok().and_then(|at| sorted.get(at)).copied().unwrap_or(f64::NAN)
}

/// The maximum distance between the two samples' distributions.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let below = |sample: &[f64], at: f64| {
        sample.partition_point(|value| *value <= at) as f64 / sample.len() as f64
    };
    let at = one.iter().chain(other);
    at.map(|at| (below(one, *at) - below(other, *at)).abs()).fold(0.0, f64::max)
}

/// The probability that two samples of one distribution are this far apart (Kolmogorov's series).
fn p_value(distance: f64, one: usize, other: usize) -> f64 {
    let (one, other) = (one as f64, other as f64);
    let size = (one * other / (one + other)).sqrt();
    let lambda = (size + 0.12 + 0.11 / size) * distance;
    let mut sum = 0.0;
    let mut sign = 1.0;
    for k in 1..=100 {
        let k = f64::from(k);
        sum += sign * (-2.0 * k * k * lambda * lambda).exp();
        sign = -sign;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}
