//! The budget against a simulated tenant in simulated time: thousands of requests, with latencies
//! that let responses overtake one another. A run takes a few milliseconds and is deterministic.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::tests::record;
use super::{Budget, Priority};
use crate::config::BudgetSettings;
use crate::telemetry::Metrics;

/// The second of 1970 at which every simulation starts, on this machine's clock.
const EPOCH: f64 = 1_790_000_000.4;

/// The parameters of a simulation.
#[derive(Debug, Clone)]
struct Scenario {
    /// The size of the tenant's bucket and its refill a second.
    plan: (f64, f64),
    /// Sign-ups a second, over all replicas.
    offered: f64,
    seconds: f64,
    replicas: usize,
    /// Requests a second of another client of the tenant, which sends them whatever the bucket
    /// holds.
    other: f64,
    /// The seconds by which the tenant's clock is ahead.
    clock_offset: f64,
    /// The share of responses without headers.
    headerless: f64,
    /// Set if `x-ratelimit-reset` lies in the past.
    stale_reset: bool,
    /// The latency to the tenant in milliseconds, and that of the response after it.
    network_ms: (f64, f64),
    latency_ms: (f64, f64),
    /// The random seed.
    seed: u64,
}

/// The steady overload of the requirements: a tenant of 10 permits a second, offered 30 sign-ups.
const OVERLOAD: Scenario = Scenario {
    plan: (10.0, 10.0),
    offered: 30.0,
    seconds: 20.0,
    replicas: 1,
    other: 0.0,
    clock_offset: 0.0,
    headerless: 0.0,
    stale_reset: false,
    network_ms: (5.0, 60.0),
    latency_ms: (140.0, 600.0),
    seed: 7,
};

/// The result of a simulation.
#[derive(Debug, Default, Clone)]
struct Report {
    /// Sign-ups that the tenant accepted and rejected.
    created: u32,
    rejected: u32,
    /// Those that it accepted while sign-ups were offered.
    in_time: u32,
    /// Sign-ups rejected as busy.
    busy: Vec<BusyRejection>,
    longest_wait: Duration,
    /// Sign-ups that the tenant accepted, by replica.
    by_replica: Vec<u32>,
    /// The times at which each replica took a permit.
    taken_at: Vec<Vec<Instant>>,
    /// Requests of the other client that were accepted and rejected.
    other: (u32, u32),
}

/// A sign-up that was rejected as busy.
#[derive(Debug, Clone)]
struct BusyRejection {
    replica: usize,
    at: Instant,
    retry_after: Duration,
    /// The number of permits after which the next one would have been this sign-up's: those that the
    /// replica had taken, and those that sign-ups waited for.
    permits_before: usize,
}

impl Report {
    /// The mean `Retry-After` divided by the mean time in which the sign-ups that waited were served and
    /// one more was. 1 is exact.
    fn retry_after_ratio(&self) -> f64 {
        let served = |rejection: &BusyRejection| {
            let taken = self.taken_at[rejection.replica].get(rejection.permits_before)?;
            Some((rejection.retry_after.as_secs_f64(), (*taken - rejection.at).as_secs_f64()))
        };
        let (named, needed): (Vec<_>, Vec<_>) = self.busy.iter().filter_map(served).unzip();
        named.iter().sum::<f64>() / needed.iter().sum::<f64>()
    }

    /// The sign-ups of the replica that had the fewest, as a share of its equal part.
    fn fairness(&self) -> f64 {
        let parts = f64::from(u32::try_from(self.by_replica.len()).unwrap());
        let least = self.by_replica.iter().min().unwrap();
        f64::from(*least) * parts / f64::from(self.created)
    }

    /// The share of requests that the tenant rejected.
    fn rejected_share(&self) -> f64 {
        f64::from(self.rejected) / f64::from(self.rejected + self.created)
    }

    /// Users created in time, without the first bucketful, as a share of the permits available: the
    /// refill, less what the other client took.
    fn goodput(&self, scenario: &Scenario) -> f64 {
        let refilled = scenario.plan.1 * scenario.seconds - f64::from(self.other.0);
        (f64::from(self.in_time) - scenario.plan.0) / refilled
    }
}

/// The tenant.
#[derive(Debug)]
struct Tenant {
    scenario: Scenario,
    started: Instant,
    state: Mutex<(f64, Instant, StdRng)>,
}

impl Tenant {
    fn new(scenario: &Scenario) -> Arc<Self> {
        let started = Instant::now();
        let state = Mutex::new((scenario.plan.0, started, StdRng::seed_from_u64(scenario.seed)));
        Arc::new(Self { scenario: scenario.clone(), started, state })
    }

    /// Draws a number between these two, the same in every run.
    fn draw(&self, (from, to): (f64, f64)) -> f64 {
        self.state.lock().2.random_range(from..to)
    }

    async fn pause(&self, ms: (f64, f64)) {
        let seconds = self.draw(ms) / 1000.0;
        sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Handles a request now.
    fn respond(&self) -> (u16, HeaderMap) {
        let now = Instant::now();
        let (burst, per_second) = self.scenario.plan;
        let headerless = self.draw((0.0, 1.0)) < self.scenario.headerless;
        let mut state = self.state.lock();
        let (level, at, _) = *state;
        let level = (level + (now - at).as_secs_f64() * per_second).min(burst);
        let allowed = level >= 1.0;
        let level = if allowed { level - 1.0 } else { level };
        (state.0, state.1) = (level, now);
        drop(state);

        let clock = EPOCH + (now - self.started).as_secs_f64() + self.scenario.clock_offset;
        let next = clock + (1.0 - level.fract()) / per_second;
        let reset = if self.scenario.stale_reset { clock - 30.0 } else { next.ceil() };
        let date = UNIX_EPOCH + Duration::from_secs_f64(clock.floor());
        let mut headers = HeaderMap::new();
        if !headerless {
            let mut put = |name: &'static str, value: String| {
                let value = HeaderValue::from_str(&value).unwrap();
                headers.insert(HeaderName::from_static(name), value);
            };
            put("date", httpdate::fmt_http_date(date));
            put("x-ratelimit-limit", burst.to_string());
            put("x-ratelimit-remaining", level.floor().to_string());
            put("x-ratelimit-reset", reset.floor().to_string());
        }
        (if allowed { 201 } else { 429 }, headers)
    }
}

fn settings() -> BudgetSettings {
    BudgetSettings {
        reserve_percent: 10,
        initial_burst: 2,
        max_wait: Duration::from_secs(3),
        max_waiting: 1000,
    }
}

/// One sign-up.
async fn sign_up(
    replica: usize,
    budget: Arc<Budget>,
    tenant: Arc<Tenant>,
    report: Arc<Mutex<Report>>,
) {
    let asked_at = Instant::now();
    let taken = budget.take(Priority::Create).await;
    let waited = asked_at.elapsed();
    let permit = match taken {
        Ok(permit) => permit,
        Err(exhausted) => {
            let retry_after = exhausted.retry_after;
            let waiting = budget.state.lock().queue.len();
            let mut report = report.lock();
            let permits_before = report.taken_at[replica].len() + waiting;
            let at = Instant::now();
            report.busy.push(BusyRejection { replica, at, retry_after, permits_before });
            return;
        }
    };
    report.lock().taken_at[replica].push(Instant::now());
    tenant.pause(tenant.scenario.network_ms).await;
    let (status, headers) = tenant.respond();
    let in_time = tenant.started.elapsed().as_secs_f64() < tenant.scenario.seconds;
    tenant.pause(tenant.scenario.latency_ms).await;
    record(permit, status, &headers);
    let mut report = report.lock();
    report.longest_wait = report.longest_wait.max(waited);
    if status == 201 {
        report.created += 1;
        report.by_replica[replica] += 1;
        report.in_time += u32::from(in_time);
    } else {
        report.rejected += 1;
    }
}

/// Runs a simulation to its end.
async fn run(scenario: &Scenario) -> Report {
    let tenant = Tenant::new(scenario);
    let budgets: Vec<_> = (0..scenario.replicas)
        .map(|_| Budget::new(&settings(), Arc::new(Metrics::new())))
        .collect();
    let report = Report {
        by_replica: vec![0; scenario.replicas],
        taken_at: vec![Vec::new(); scenario.replicas],
        ..Report::default()
    };
    let report = Arc::new(Mutex::new(report));
    let end = tenant.started + Duration::from_secs_f64(scenario.seconds);
    let mut tasks = JoinSet::new();
    if scenario.other > 0.0 {
        let (tenant, report) = (Arc::clone(&tenant), Arc::clone(&report));
        tasks.spawn(async move {
            while Instant::now() < end {
                tenant.pause((0.0, 2000.0 / tenant.scenario.other)).await;
                let allowed = tenant.respond().0 == 201;
                let mut report = report.lock();
                if allowed {
                    report.other.0 += 1;
                } else {
                    report.other.1 += 1;
                }
            }
        });
    }
    let mut next = tenant.started;
    for (replica, budget) in budgets.iter().enumerate().cycle() {
        next += Duration::from_secs_f64(tenant.draw((0.0, 2.0)) / scenario.offered);
        if next >= end {
            break;
        }
        sleep_until(next).await;
        let (budget, tenant) = (Arc::clone(budget), Arc::clone(&tenant));
        tasks.spawn(sign_up(replica, budget, tenant, Arc::clone(&report)));
    }
    while tasks.join_next().await.is_some() {}
    report.lock().clone()
}

/// Runs a simulation and checks its figures against bounds: the share rejected and the goodput.
async fn holds(name: &str, scenario: Scenario, rejected: f64, goodput: f64) -> Report {
    let report = run(&scenario).await;
    let (share, good) = (report.rejected_share(), report.goodput(&scenario));
    let Report { created, busy, longest_wait, other, by_replica, .. } = &report;
    println!(
        "{name}: created {created} {by_replica:?}, rejected {:.2} %, goodput {:.1} %, busy {}, \
         longest wait {longest_wait:?}, other {other:?}",
        share * 100.0,
        good * 100.0,
        busy.len(),
    );
    assert!(share <= rejected, "{name}: rejected {share}");
    assert!(good >= goodput, "{name}: goodput {good}");
    assert!(*longest_wait <= settings().max_wait + Duration::from_millis(5), "{longest_wait:?}");
    report
}

#[tokio::test(start_paused = true)]
async fn steady_overload_meets_no_429_and_uses_every_permit() {
    for seed in 0..4 {
        holds("overload", Scenario { seed, ..OVERLOAD }, 0.01, 0.94).await;
    }
    let report =
        holds("overload, 200 s", Scenario { seconds: 200.0, ..OVERLOAD }, 0.001, 0.99).await;
    let named: Duration = report.busy.iter().map(|busy| busy.retry_after).sum();
    let mean = named.as_secs_f64() / f64::from(u32::try_from(report.busy.len()).unwrap());
    assert!((3.0..4.5).contains(&mean), "mean Retry-After {mean} s, with 3 s of waiters");
}

#[tokio::test(start_paused = true)]
async fn every_plan_is_learned() {
    for plan in [(2.0, 2.0), (20.0, 200.0 / 60.0), (50.0, 16.0), (10.0, 2.0), (100.0, 100.0)] {
        let scenario = Scenario { plan, offered: plan.1 * 3.0, seconds: 60.0, ..OVERLOAD };
        holds(&format!("{plan:?}"), scenario, 0.01, 0.94).await;
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_headers_and_latencies_do_not_matter() {
    for (name, scenario) in [
        ("an hour ahead", Scenario { clock_offset: 3600.0, ..OVERLOAD }),
        ("an hour behind", Scenario { clock_offset: -3600.0, ..OVERLOAD }),
        ("stale reset", Scenario { stale_reset: true, ..OVERLOAD }),
        ("a third without headers", Scenario { headerless: 0.33, ..OVERLOAD }),
        ("far away", Scenario { network_ms: (50.0, 200.0), ..OVERLOAD }),
    ] {
        holds(name, Scenario { seconds: 60.0, ..scenario }, 0.01, 0.95).await;
    }
    let late = Scenario { network_ms: (140.0, 600.0), latency_ms: (5.0, 60.0), ..OVERLOAD };
    holds("counted late", Scenario { seconds: 60.0, ..late }, 0.03, 0.8).await;
    // Learning takes a few responses, and these take 2.7 s on average.
    let slow = Scenario { latency_ms: (140.0, 5200.0), seconds: 120.0, ..OVERLOAD };
    holds("slow responses", slow, 0.01, 0.9).await;
}

#[tokio::test(start_paused = true)]
async fn replicas_share_through_headers_alone() {
    for (replicas, seed) in [(2, 1), (2, 2), (2, 3), (4, 1)] {
        let scenario = Scenario { replicas, seed, seconds: 60.0, ..OVERLOAD };
        let report = holds(&format!("{replicas} replicas"), scenario, 0.02, 0.9).await;
        assert!(report.fairness() > 0.25, "no replica is crowded out: {:?}", report.by_replica);
    }
}

/// The table of `docs/performance.md`.
#[tokio::test(start_paused = true)]
async fn any_number_of_replicas_uses_the_budget_and_names_honest_waits() {
    let (slow, enterprise, fast) = ((10.0, 10.0), (50.0, 16.0), (100.0, 100.0));
    for (replicas, plan, rejected) in [
        (1, enterprise, 0.001),
        (2, slow, 0.01),
        (3, enterprise, 0.01),
        (10, enterprise, 0.03),
        (1, fast, 0.001),
        (3, fast, 0.01),
        (10, fast, 0.04),
        (50, fast, 0.15),
    ] {
        let offered = plan.1 * 3.0;
        let scenario = Scenario { replicas, plan, offered, seconds: 60.0, ..OVERLOAD };
        let report = holds(&format!("{replicas} of {plan:?}"), scenario, rejected, 0.95).await;
        let (fairness, ratio) = (report.fairness(), report.retry_after_ratio());
        println!("  fairness {fairness:.2}, Retry-After {ratio:.2} of the time that was needed");
        assert!((0.8..1.2).contains(&ratio), "Retry-After was {ratio} of the time that was needed");
        assert!(fairness > 0.25, "no replica is crowded out: {:?}", report.by_replica);
    }
}

#[tokio::test(start_paused = true)]
async fn another_client_of_the_tenant_keeps_its_share() {
    for seed in 0..3 {
        let scenario = Scenario { other: 4.0, seconds: 60.0, seed, ..OVERLOAD };
        let report = holds("another client", scenario, 0.03, 0.93).await;
        let (taken, rejected) = report.other;
        assert!(rejected * 15 < taken, "rejected {rejected} of the other's {}", taken + rejected);
    }
}

#[tokio::test(start_paused = true)]
async fn spare_permits_delay_no_call() {
    let scenario = Scenario { plan: (5000.0, 5000.0), offered: 300.0, ..OVERLOAD };
    let report = run(&scenario).await;
    assert_eq!((report.rejected, report.busy.len()), (0, 0));
    // Only the first calls wait, for the first response.
    assert!(report.longest_wait < Duration::from_millis(700), "{:?}", report.longest_wait);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refills_as_fast_as_it_is_used_hardly_delays() {
    // Hundreds under way at once, at a tenant that always has nearly all of its 100 permits left.
    let scenario = Scenario {
        plan: (100.0, 1e7),
        offered: 2000.0,
        seconds: 5.0,
        network_ms: (0.1, 1.0),
        latency_ms: (20.0, 60.0),
        ..OVERLOAD
    };
    let report = holds("always full", scenario, 0.0, 0.0).await;
    assert_eq!(report.busy.len(), 0);
    assert!(report.longest_wait < Duration::from_millis(1500), "{:?}", report.longest_wait);
}
