//! Measures steady overload: a tenant with a burst of 10 and 10 requests a second is offered 30
//! sign-ups a second for 20 seconds, by one service and by two that do not coordinate.
//!
//! ```console
//! cargo run --example budget
//! ```

#![expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "prints figures, and counts no more than hundreds"
)]

mod shared;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use auth0_emulator::{Emulator, Latency, Plan, Route};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use shared::{Folder, start};

const BURST: u32 = 10;
const PER_SECOND: f64 = 10.0;
const OFFERED_PER_SECOND: u32 = 30;
const SECONDS: u32 = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for replicas in [1, 2] {
        run(replicas).await?;
    }
    Ok(())
}

/// Offers the sign-ups to the replicas in turn and prints the results.
async fn run(replicas: usize) -> anyhow::Result<()> {
    let tenant = Emulator::builder().tenant(|tenant| {
        tenant.plan = Plan::Custom { burst: BURST, per_second: PER_SECOND };
        // About the recorded median.
        tenant.latency = Latency::FixedMs(300);
    });
    let tenant = tenant.start().await?;
    let mut running = JoinSet::new();
    let (mut addresses, mut folders) = (Vec::new(), Vec::new());
    for _ in 0..replicas {
        let folder = Folder::new();
        // All clients share one address. Its limits are raised, because they are not measured.
        let app = start(&tenant, &folder, Some(Path::new("config/bench.toml")), &[]).await?;
        folders.push(folder);
        addresses.push(app.public_address()?);
        running.spawn(app.run(std::future::pending()));
    }
    let client = Client::builder().no_proxy().build()?;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, address) in (0..OFFERED_PER_SECOND * SECONDS).zip(addresses.iter().cycle()) {
        sleep_until(started + Duration::from_secs(number.into()) / OFFERED_PER_SECOND).await;
        tasks.spawn(sign_up(client.clone(), *address, number));
    }
    let calls = tenant.calls(Route::CreateUser);
    let in_time = calls.iter().filter(|call| call.status != Some(429)).count();
    let (mut created, mut busy) = (0, 0);
    let (mut longest, mut longest_retry_after) = (Duration::ZERO, 0);
    while let Some(result) = tasks.join_next().await {
        let (status, took, retry_after) = result??;
        longest = longest.max(took);
        longest_retry_after = longest_retry_after.max(retry_after);
        match status {
            StatusCode::CREATED => created += 1,
            StatusCode::SERVICE_UNAVAILABLE => busy += 1,
            other => println!("unexpected: {other}"),
        }
    }
    let calls = tenant.calls(Route::CreateUser);
    let rejected = calls.iter().filter(|call| call.status == Some(429)).count();
    let goodput = (in_time as f64 - f64::from(BURST)) / (PER_SECOND * f64::from(SECONDS));
    println!(
        "{replicas} replica(s): {created} created, {busy} asked to retry; the tenant rejected \
         {rejected} of {} ({:.1} %); goodput after the burst {:.1} % of {PER_SECOND}/s; longest \
         response {:.1} s, longest Retry-After {longest_retry_after} s",
        calls.len(),
        100.0 * rejected as f64 / calls.len() as f64,
        100.0 * goodput,
        longest.as_secs_f64(),
    );
    running.shutdown().await;
    tenant.shutdown().await;
    Ok(())
}

/// Returns the status, the duration, and `Retry-After` in seconds.
async fn sign_up(
    client: Client,
    address: SocketAddr,
    number: u32,
) -> anyhow::Result<(StatusCode, Duration, u64)> {
    let form = json!({
        "email": format!("ada{number}@example.com"),
        "password": "Difference-Engine-1843",
        "given_name": "Ada",
    });
    let started = Instant::now();
    let response = client.post(format!("http://{address}/signup")).json(&form).send().await?;
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| value.parse().ok()).unwrap_or_default();
    let status = response.status();
    drop(response.bytes().await?);
    Ok((status, started.elapsed(), retry_after))
}
