//! Benchmarks the ledger: sequential and concurrent, empty and with many rows.
//!
//!   cargo bench --bench ledger -- [--url URL] [--rows 1000000] [--secs 3]
//!
//! Without a URL it uses an SQLite file in a temporary folder. Prints one line per measurement; a
//! write is a begin or a finish. `server` is the CPU time of all processes named postgres.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]
#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "figures"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::clock::{Clock, LedgerTime, SystemClock};
use auth0_signup::config::{Database, LedgerSettings, Synchronous};
use auth0_signup::digest::{Digest, DigestPair};
use auth0_signup::ledger::{
    self, Access, AdmissionCost, AttemptId, Basis, Binding, ClaimDue, FinishAttempt, KeyRecord,
    Lease, Ledger, NewAttempt, NewKey, NextCheck, PinnedUserId, Resolution, Urgency,
};
use auth0_signup::telemetry::LedgerMetrics;
use uuid::Uuid;

fn settings(database: Database, synchronous: Synchronous) -> LedgerSettings {
    LedgerSettings {
        database,
        secret_key: Some("k".repeat(32).into()),
        secret_key_path: None,
        previous_secret_key: None,
        migrate: true,
        synchronous,
        retention: Duration::from_hours(720),
        key_lifetime: Duration::from_hours(24),
        timeout: Duration::from_secs(30),
        lock_wait: Duration::ZERO,
        new_ledger: false,
    }
}

/// The lease of an attempt that is resolved at once.
const LEASE: Duration = Duration::from_secs(30);

/// The digest of a key that no attempt has.
fn unknown_key() -> DigestPair {
    DigestPair { current: Digest::from_bytes(rand::random()), previous: None }
}

/// A new attempt, of a process that may work on it for this long.
fn attempt(lasts: Duration) -> NewAttempt {
    let id = AttemptId::new(LedgerTime::from_epoch(SystemClock.now()));
    let digest = || Digest::from_bytes(rand::random());
    let record = KeyRecord { key: digest(), binding: Binding::from_digest(&digest()) };
    NewAttempt {
        id,
        email: digest(),
        key: NewKey { records: vec![record], lifetime: Duration::from_hours(24) },
        user_id: PinnedUserId::from_digest(&digest()),
        request_id: id.to_string(),
        terms: None,
        tenant_started_at: None,
        lease: Lease { process: Uuid::from_u128(7), lasts, synced: false },
        admission_cost: AdmissionCost::default(),
        urgency: Urgency::Awaited,
    }
}

fn created(attempt: &NewAttempt) -> FinishAttempt {
    FinishAttempt {
        basis: Basis::Observed,
        id: attempt.id,
        resolution: Resolution::Created { user_id: None },
        outcome_code: "created",
        auth0_request_id: Some("1fa9c4f4d3fd7b2a1f5e".to_owned()),
        urgency: Urgency::Awaited,
    }
}

/// The CPU time of a process with its threads, in clock ticks (10 ms).
fn ticks(process: &str) -> u64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return 0 };
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = rest.split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

fn server_ticks() -> u64 {
    let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let entries = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let pids = entries.filter_map(|entry| entry.into_string().ok());
    pids.filter(|pid| name(pid).trim() == "postgres").map(|pid| ticks(&pid)).sum()
}

/// Runs `count` tasks that each repeat `each`, and prints the cost of one write.
async fn measure<F>(
    name: &str,
    count: usize,
    time: Duration,
    each: impl Fn() -> F + Clone + Send + 'static,
) where
    F: Future<Output = u64> + Send,
{
    let (started_at, own, server) = (Instant::now(), ticks("self"), server_ticks());
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let each = each.clone();
            tokio::spawn(async move {
                let (mut done, mut durations) = (0, Vec::new());
                while started_at.elapsed() < time {
                    let at = Instant::now();
                    let writes = each().await;
                    durations.push(at.elapsed() / u32::try_from(writes).unwrap());
                    done += writes;
                }
                (done, durations)
            })
        })
        .collect();
    let (mut done, mut durations) = (0, Vec::new());
    for task in tasks {
        let (of_task, mut times) = task.await.unwrap();
        done += of_task;
        durations.append(&mut times);
    }
    let elapsed = started_at.elapsed().as_secs_f64();
    durations.sort_unstable();
    let micros = |percent: usize| durations[durations.len() * percent / 100].as_secs_f64() * 1e6;
    let cost =
        |before: u64, after: u64| after.saturating_sub(before) as f64 * 10_000.0 / done as f64;
    println!(
        "{name:44} {:8.0}/s  p50 {:7.0} us  p99 {:7.0} us  cpu {:6.1} us  server {:6.1} us",
        done as f64 / elapsed,
        micros(50),
        micros(99),
        cost(own, ticks("self")),
        cost(server, server_ticks()),
    );
}

async fn measure_all(ledger: &Arc<dyn Ledger>, what: &str, time: Duration) {
    for count in [1, 32, 256] {
        let writer = Arc::clone(ledger);
        measure(&format!("{what}: begin + finish, {count} at once"), count, time, move || {
            let ledger = Arc::clone(&writer);
            async move {
                let attempt = attempt(LEASE);
                ledger.begin(attempt.clone()).await.unwrap();
                ledger.finish(created(&attempt)).await.unwrap();
                2
            }
        })
        .await;
    }
    for count in [1, 256] {
        let reader = Arc::clone(ledger);
        measure(&format!("{what}: find_key, {count} at once"), count, time, move || {
            let ledger = Arc::clone(&reader);
            async move {
                ledger.find_key(&unknown_key()).await.unwrap();
                1
            }
        })
        .await;
    }
    let reconciler = Arc::clone(ledger);
    measure(&format!("{what}: begin + claim_due + release"), 1, time, move || {
        let ledger = Arc::clone(&reconciler);
        async move {
            let owner = Uuid::from_u128(7);
            ledger.begin(attempt(Duration::ZERO)).await.unwrap();
            let claim = ClaimDue {
                owner,
                under_way: Vec::new(),
                lease: Duration::from_secs(9),
                longest_wait: Duration::from_hours(1),
                limit: 50,
            };
            for row in ledger.claim_due(claim).await.unwrap() {
                let never = NextCheck { after: None, counts_as_failed: false };
                ledger.release(row.id, owner, never).await.unwrap();
            }
            3
        }
    })
    .await;
}

async fn fill(ledger: &Arc<dyn Ledger>, rows: usize) {
    let started_at = Instant::now();
    let tasks = (0..1_000).map(|_| {
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            for _ in 0..rows / 1_000 {
                let attempt = attempt(LEASE);
                ledger.begin(attempt.clone()).await.unwrap();
                ledger.finish(created(&attempt)).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    println!("wrote {rows} rows in {:.0} s", started_at.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name, default| option(name).map_or(default, |text| text.parse().unwrap());
    let (rows, time) =
        (number("--rows", 1_000_000), Duration::from_secs(number("--secs", 3) as u64));
    let folder = std::env::temp_dir().join(format!("ledger-bench-{}", Uuid::now_v7()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let database = match option("--url") {
            Some(url) => Database::Postgres(url.into()),
            None => Database::Sqlite(folder.join("bench.db")),
        };
        let settings = settings(database, synchronous);
        let digests = ledger::digests(&settings).unwrap();
        let metrics = LedgerMetrics::default();
        let opened = ledger::open(&settings, &digests, Access::Service, &clock, &metrics);
        let ledger = opened.await.unwrap();
        println!("{synchronous:?}");
        if synchronous == Synchronous::Normal {
            measure_all(&ledger, "empty", time).await;
            fill(&ledger, rows).await;
        }
        measure_all(&ledger, &format!("{rows} rows"), time).await;
        ledger.close().await;
    }
    std::fs::remove_dir_all(folder).ok();
}
