//! The budget, response by response: the calls that go, wait or are rejected, and the reports.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AGE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, timeout};

use super::{Budget, BudgetExhausted, Permit, Priority};
use crate::auth0::error::Api;
use crate::auth0::response::ApiResponse;
use crate::auth0::wait::RequestedWait;
use crate::config::BudgetSettings;
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);
/// Twice what the runtime's timer rounds off.
const TICK: Duration = Duration::from_millis(2);

const SETTINGS: BudgetSettings = BudgetSettings {
    reserve_percent: 20,
    initial_burst: 2,
    max_wait: Duration::from_secs(3),
    max_waiting: 5,
};

fn budget() -> Arc<Budget> {
    Budget::new(&SETTINGS, Arc::new(Metrics::new()))
}

/// The headers of a bucket, a second of the tenant's clock after `Date`.
fn bucket(limit: u32, remaining: u32) -> HeaderMap {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(1_790_000_000));
    HeaderMap::from_iter([
        (DATE, HeaderValue::from_str(&date).unwrap()),
        (HeaderName::from_static("x-ratelimit-limit"), limit.into()),
        (HeaderName::from_static("x-ratelimit-remaining"), remaining.into()),
        (HeaderName::from_static("x-ratelimit-reset"), 1_790_000_001.into()),
    ])
}

fn with(mut headers: HeaderMap, name: HeaderName, value: u32) -> HeaderMap {
    headers.insert(name, value.into());
    headers
}

/// Records a response, judging the wait of a 429 as the client does.
pub(super) fn record(permit: Permit, status: u16, headers: &HeaderMap) {
    if status == 429 {
        let response = ApiResponse::new(429, headers.clone(), "");
        let requested = RequestedWait::from_rejection(Api::Management, &response);
        assert!(permit.record_rejection(headers, requested) >= requested.wait.unwrap_or(SECOND));
    } else {
        permit.record_response(status, headers);
    }
}

/// Takes a permit that needs no waiting.
async fn at_once(budget: &Arc<Budget>, priority: Priority) -> Option<Permit> {
    let taken = timeout(Duration::ZERO, budget.take(priority)).await.ok()?;
    taken.ok()
}

/// Counts the creates that go without waiting. None of them gets a response.
async fn at_once_count(budget: &Arc<Budget>) -> usize {
    let mut permits = Vec::new();
    while let Some(permit) = at_once(budget, Priority::Create).await {
        permits.push(permit);
    }
    permits.len()
}

/// Returns a budget whose tenant has just reported this bucket.
async fn reporting(limit: u32, remaining: u32) -> Arc<Budget> {
    let budget = budget();
    let permit = at_once(&budget, Priority::Create).await.unwrap();
    permit.record_response(201, &bucket(limit, remaining));
    budget
}

fn waiting(budget: &Budget) -> usize {
    budget.state.lock().queue.len()
}

#[tokio::test(start_paused = true)]
async fn before_the_first_response_only_a_few_calls_go() {
    assert_eq!(at_once_count(&budget()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_reported_permits_less_the_reserve_go_at_once() {
    // One permit in five is the reserve.
    assert_eq!(at_once_count(&reporting(10, 9).await).await, 7);
    assert_eq!(at_once_count(&reporting(50, 49).await).await, 39);
    assert_eq!(at_once_count(&reporting(10, 2).await).await, 0);
    // Half a permit is held back for unseen requests, but never so much that nothing could go.
    assert_eq!(at_once_count(&reporting(2, 1).await).await, 0);
    let smallest = reporting(1, 0).await;
    sleep(SECOND).await;
    assert_eq!(at_once_count(&smallest).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_without_rate_headers_delays_no_call() {
    let budget = budget();
    at_once(&budget, Priority::Create).await.unwrap().record_response(201, &HeaderMap::new());
    let permits: Vec<_> = (0..500).map(|_| at_once(&budget, Priority::Create)).collect();
    for permit in permits {
        assert!(permit.await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_response_and_a_cached_one_change_nothing() {
    let budget = budget();
    let older = at_once(&budget, Priority::Create).await.unwrap();
    let newer = at_once(&budget, Priority::Create).await.unwrap();
    sleep(SECOND / 2).await;
    newer.record_response(201, &bucket(10, 4));
    older.record_response(201, &bucket(10, 9));
    let cached = at_once(&budget, Priority::Create).await.unwrap();
    cached.record_response(201, &with(bucket(10, 9), AGE, 30));
    assert!(at_once_count(&budget).await < 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_response_counts_from_the_time_of_its_request() {
    let budget = reporting(10, 9).await;
    let mut permits = Vec::new();
    for _ in 0..6 {
        permits.push(at_once(&budget, Priority::Create).await.unwrap());
    }
    // The first left 8, and the five after it are gone too.
    permits.remove(0).record_response(201, &bucket(10, 8));
    assert_eq!(at_once_count(&budget).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_permit_without_a_response_counts_as_spent() {
    let budget = reporting(10, 9).await;
    for _ in 0..7 {
        drop(at_once(&budget, Priority::Create).await.unwrap());
    }
    assert!(at_once(&budget, Priority::Create).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn only_lookups_may_use_the_reserve() {
    let budget = reporting(10, 2).await;
    assert!(at_once(&budget, Priority::Create).await.is_none());
    assert!(at_once(&budget, Priority::Lookup).await.is_some());
}

/// A repeated call that lookups of others displace would leave its attempt unknown, and its client would
/// come back with another lookup.
#[tokio::test(start_paused = true)]
async fn waiting_calls_go_in_the_order_of_their_priorities() {
    let settings = BudgetSettings { max_wait: 10 * SECOND, ..SETTINGS };
    let budget = Budget::new(&settings, Arc::new(Metrics::new()));
    at_once(&budget, Priority::Create).await.unwrap().record_response(201, &bucket(10, 0));
    let mut priorities = [
        Priority::Background,
        Priority::Check,
        Priority::Create,
        Priority::Lookup,
        Priority::Repeat,
    ];
    let mut order = JoinSet::new();
    for priority in priorities {
        let budget = Arc::clone(&budget);
        order.spawn(async move {
            budget.take(priority).await.unwrap().record_response(200, &bucket(10, 0));
            priority
        });
        sleep(Duration::from_millis(1)).await;
    }
    priorities.reverse();
    assert_eq!(order.join_all().await, priorities);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_in_order_of_arrival() {
    let budget = reporting(10, 0).await;
    let mut tasks = JoinSet::new();
    for number in 0..3 {
        let budget = Arc::clone(&budget);
        tasks.spawn(async move {
            let permit = budget.take(Priority::Create).await.unwrap();
            sleep(Duration::from_millis(100)).await;
            permit.record_response(201, &bucket(10, 0));
            number
        });
        tokio::task::yield_now().await;
    }
    for number in 0..3 {
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_the_queue_at_once() {
    let budget = reporting(10, 0).await;
    let mut tasks = JoinSet::new();
    let (first, second) = (Arc::clone(&budget), Arc::clone(&budget));
    let first = tasks.spawn(async move { first.take(Priority::Create).await.is_ok() });
    tasks.spawn(async move { second.take(Priority::Create).await.is_ok() });
    sleep(Duration::from_millis(1)).await;
    assert_eq!(waiting(&budget), 2);
    first.abort();
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    assert_eq!(waiting(&budget), 1);
    assert!(tasks.join_next().await.unwrap().unwrap(), "the next one is woken");
    assert_eq!(waiting(&budget), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects_at_once_and_a_long_wait_at_its_end() {
    let budget = reporting(10, 0).await;
    let mut tasks = JoinSet::new();
    for _ in 0..5 {
        let budget = Arc::clone(&budget);
        tasks.spawn(async move {
            let asked_at = Instant::now();
            let permit = budget.take(Priority::Create).await;
            (permit.map(std::mem::forget), asked_at.elapsed())
        });
    }
    sleep(Duration::from_millis(1)).await;
    for priority in [Priority::Create, Priority::Check, Priority::Background] {
        let asked_at = Instant::now();
        let BudgetExhausted { retry_after } = budget.take(priority).await.unwrap_err();
        assert_eq!(asked_at.elapsed(), Duration::ZERO);
        // The refill is not known yet, but the calls ahead are gone by then.
        assert_eq!(retry_after, 3 * SECOND);
    }
    let mut rejected = 0;
    while let Some(done) = tasks.join_next().await {
        let (permit, waited) = done.unwrap();
        assert!(waited <= 3 * SECOND + SECOND / 100, "{waited:?}");
        rejected += usize::from(permit.is_err());
    }
    assert!((2..=3).contains(&rejected), "{rejected}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_reported_time_then_one_probe() {
    for (headers, wait) in [
        (with(bucket(10, 0), RETRY_AFTER, 50), 50),
        (with(HeaderMap::new(), RETRY_AFTER, 7), 7),
        // Not certainly Auth0's.
        (with(HeaderMap::new(), RETRY_AFTER, 86_400), 60),
        (bucket(10, 0), 1),
        (HeaderMap::new(), 1),
    ] {
        let budget = reporting(10, 9).await;
        let rejected = at_once(&budget, Priority::Create).await.unwrap();
        record(rejected, 429, &headers);
        assert!(!budget.is_waiting_long(), "{headers:?}");
        if wait > 3 {
            let BudgetExhausted { retry_after } = budget.take(Priority::Create).await.unwrap_err();
            assert!(retry_after >= SECOND * wait, "{retry_after:?} {headers:?}");
        }
        advance((SECOND * wait).saturating_sub(TICK)).await;
        assert_eq!(at_once_count(&budget).await, 0, "{headers:?}");
        advance(TICK).await;
        let probe = at_once(&budget, Priority::Create).await.unwrap();
        assert!(at_once(&budget, Priority::Create).await.is_none(), "{headers:?}");
        record(probe, 201, &bucket(10, 9));
        assert!(at_once(&budget, Priority::Create).await.is_none(), "not all at once");
        sleep(SECOND).await;
        assert!(at_once(&budget, Priority::Create).await.is_some());
    }
}

/// Takes the permit of the next probe of a long wait, which is not earlier than a minute from now.
async fn probe(budget: &Arc<Budget>) -> Permit {
    advance((60 * SECOND).saturating_sub(TICK)).await;
    assert!(at_once(budget, Priority::Create).await.is_none());
    advance(TICK).await;
    let probe = at_once(budget, Priority::Create).await.unwrap();
    assert!(at_once(budget, Priority::Create).await.is_none(), "one probe at a time");
    probe
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_of_auth0_is_probed_every_minute_until_it_is_over() {
    let rejected = || with(bucket(10, 0), RETRY_AFTER, 7_200);
    let retry_after = async |budget: &Arc<Budget>| {
        budget.take(Priority::Create).await.map(drop).unwrap_err().retry_after.as_secs()
    };
    let budget = reporting(10, 9).await;
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &rejected());
    assert!(budget.is_waiting_long());
    assert!((7_199..=7_201).contains(&retry_after(&budget).await));

    // A page of something in front of the tenant ends no wait.
    record(probe(&budget).await, 429, &HeaderMap::new());
    assert!(budget.is_waiting_long());
    assert!((7_139..=7_141).contains(&retry_after(&budget).await));
    sleep(2 * SECOND).await;
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &rejected());
    assert!((7_199..=7_201).contains(&retry_after(&budget).await), "rejected again");

    record(probe(&budget).await, 201, &bucket(10, 9));
    assert!(!budget.is_waiting_long());
    sleep(SECOND).await;
    assert!(at_once(&budget, Priority::Create).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_a_long_wait_that_does_not_get_through_ends_no_wait() {
    let budget = reporting(10, 9).await;
    let long = with(bucket(10, 0), RETRY_AFTER, 7_200);
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &long);
    for status in [Some(503), Some(408), None] {
        let probe = probe(&budget).await;
        match status {
            Some(status) => record(probe, status, &HeaderMap::new()),
            None => drop(probe),
        }
        assert!(budget.is_waiting_long(), "{status:?}");
        assert!(at_once(&budget, Priority::Create).await.is_none(), "{status:?}");
    }
    // Of the API itself: it counts requests again.
    record(probe(&budget).await, 503, &bucket(10, 9));
    assert!(!budget.is_waiting_long());
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_are_rejected_as_soon_as_the_wait_is_too_long() {
    let budget = reporting(10, 9).await;
    let rejected = at_once(&budget, Priority::Create).await.unwrap();
    while at_once(&budget, Priority::Create).await.map(std::mem::forget).is_some() {}
    let waits = Arc::clone(&budget);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { waits.take(Priority::Create).await.map(|_| ()) });
    sleep(Duration::from_millis(1)).await;
    record(rejected, 429, &with(HeaderMap::new(), RETRY_AFTER, 60));
    let rejected = timeout(SECOND / 100, tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert!(rejected.unwrap_err().retry_after >= 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_may_be_left_out_is_no_probe_and_turns_nobody_away() {
    let metrics = Arc::new(Metrics::new());
    let nobody = || metrics.encode().contains("auth0_budget_exhausted_total 0");
    let budget = Budget::new(&SETTINGS, Arc::clone(&metrics));
    let first = at_once(&budget, Priority::Create).await.unwrap();
    record(first, 429, &with(HeaderMap::new(), RETRY_AFTER, 1));
    advance(SECOND + TICK).await;
    assert!(at_once(&budget, Priority::BestEffort).await.is_none());
    assert!(nobody(), "{}", metrics.encode());
    assert!(at_once(&budget, Priority::Create).await.is_some(), "the probe");
}

#[tokio::test(start_paused = true)]
async fn repeated_429s_without_a_time_back_off() {
    let budget = reporting(10, 9).await;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        record(at_once(&budget, Priority::Create).await.unwrap(), 429, &HeaderMap::new());
        advance((SECOND * wait).saturating_sub(TICK)).await;
        assert!(at_once(&budget, Priority::Create).await.is_none(), "{wait}");
        advance(TICK).await;
    }
    at_once(&budget, Priority::Create).await.unwrap().record_response(201, &bucket(10, 9));
    sleep(SECOND).await;
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &HeaderMap::new());
    sleep(SECOND).await;
    assert!(at_once(&budget, Priority::Create).await.is_some(), "the count starts again");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_named_in_rejections_only_holds_nothing_back_for_long() {
    let budget = budget();
    at_once(&budget, Priority::Create).await.unwrap().record_response(201, &HeaderMap::new());
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &bucket(10, 0));
    for _ in 0..120 {
        sleep(SECOND).await;
        let permit = at_once(&budget, Priority::Create).await.unwrap();
        permit.record_response(201, &HeaderMap::new());
    }
    for nth in 0..50 {
        let permit = at_once(&budget, Priority::Create).await;
        permit.unwrap_or_else(|| panic!("{nth}")).record_response(201, &HeaderMap::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_a_response_lets_the_next_call_probe() {
    let budget = reporting(10, 9).await;
    record(at_once(&budget, Priority::Create).await.unwrap(), 429, &HeaderMap::new());
    sleep(SECOND).await;
    let probe = at_once(&budget, Priority::Create).await.unwrap();
    assert!(at_once(&budget, Priority::Create).await.is_none());
    drop(probe);
    assert!(at_once(&budget, Priority::Create).await.is_some());
}
