//! The budget answer by answer: what is let go, who waits, who is refused and what they are told.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AGE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, timeout};

use super::{Budget, Busy, Permit, Priority};
use crate::config::BudgetSettings;
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);
/// Twice what the runtime's timer rounds off.
const TICK: Duration = Duration::from_millis(2);

fn budget() -> Arc<Budget> {
    let settings = BudgetSettings {
        reserve_percent: 20,
        initial_burst: 2,
        max_wait: 3 * SECOND,
        max_waiting: 5,
    };
    Budget::new(&settings, Arc::new(Metrics::new()))
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

/// A permit that is there without waiting.
async fn at_once(budget: &Arc<Budget>, class: Priority) -> Option<Permit> {
    let taken = timeout(Duration::ZERO, budget.take(class)).await.ok()?;
    taken.ok()
}

/// How many creates go without waiting; none of them is answered.
async fn at_once_count(budget: &Arc<Budget>) -> usize {
    let mut permits = Vec::new();
    while let Some(permit) = at_once(budget, Priority::Create).await {
        permits.push(permit);
    }
    permits.len()
}

/// A budget whose tenant just told this bucket.
async fn told(limit: u32, remaining: u32) -> Arc<Budget> {
    let budget = budget();
    let permit = at_once(&budget, Priority::Create).await.unwrap();
    permit.answered(201, &bucket(limit, remaining));
    budget
}

fn waiting(budget: &Budget) -> usize {
    budget.lock().line.len()
}

#[tokio::test(start_paused = true)]
async fn before_the_first_answer_only_a_few_go() {
    assert_eq!(at_once_count(&budget()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_tenant_told_less_the_reserve_goes_at_once() {
    // One permit in five is the reserve.
    assert_eq!(at_once_count(&told(10, 9).await).await, 7);
    assert_eq!(at_once_count(&told(50, 49).await).await, 39);
    assert_eq!(at_once_count(&told(10, 2).await).await, 0);
    // Half a permit is kept for what cannot be seen, but never so much that nothing could go.
    assert_eq!(at_once_count(&told(2, 1).await).await, 0);
    let smallest = told(1, 0).await;
    sleep(SECOND).await;
    assert_eq!(at_once_count(&smallest).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_tells_nothing_delays_nobody() {
    let budget = budget();
    at_once(&budget, Priority::Create).await.unwrap().answered(201, &HeaderMap::new());
    let permits: Vec<_> = (0..500).map(|_| at_once(&budget, Priority::Create)).collect();
    for permit in permits {
        assert!(permit.await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_and_one_from_a_cache_change_nothing() {
    let budget = budget();
    let older = at_once(&budget, Priority::Create).await.unwrap();
    let newer = at_once(&budget, Priority::Create).await.unwrap();
    sleep(SECOND / 2).await;
    newer.answered(201, &bucket(10, 4));
    older.answered(201, &bucket(10, 9));
    let cached = at_once(&budget, Priority::Create).await.unwrap();
    cached.answered(201, &with(bucket(10, 9), AGE, 30));
    assert!(at_once_count(&budget).await < 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_counted_as_of_when_its_request_was_sent() {
    let budget = told(10, 9).await;
    let mut permits = Vec::new();
    for _ in 0..6 {
        permits.push(at_once(&budget, Priority::Create).await.unwrap());
    }
    // The first of them had 8 left, and the five after it are gone too.
    permits.remove(0).answered(201, &bucket(10, 8));
    assert_eq!(at_once_count(&budget).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_permit_counts_as_spent() {
    let budget = told(10, 9).await;
    for _ in 0..7 {
        drop(at_once(&budget, Priority::Create).await.unwrap());
    }
    assert!(at_once(&budget, Priority::Create).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn lookups_may_use_the_reserve_and_go_first() {
    let budget = told(10, 2).await;
    assert!(at_once(&budget, Priority::Lookup).await.is_some());
    let mut order = JoinSet::new();
    for (name, class) in [("create", Priority::Create), ("lookup", Priority::Lookup)] {
        let budget = Arc::clone(&budget);
        order.spawn(async move { budget.take(class).await.map(|_| name) });
        sleep(Duration::from_millis(1)).await;
    }
    for name in ["lookup", "create"] {
        assert_eq!(order.join_next().await.unwrap().unwrap(), Ok(name));
    }
}

#[tokio::test(start_paused = true)]
async fn they_wait_in_the_order_of_their_coming() {
    let budget = told(10, 0).await;
    let mut tasks = JoinSet::new();
    for number in 0..3 {
        let budget = Arc::clone(&budget);
        tasks.spawn(async move {
            let permit = budget.take(Priority::Create).await.unwrap();
            sleep(Duration::from_millis(100)).await;
            permit.answered(201, &bucket(10, 0));
            number
        });
        tokio::task::yield_now().await;
    }
    for number in 0..3 {
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_the_line_at_once() {
    let budget = told(10, 0).await;
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
async fn a_full_line_refuses_at_once_and_a_long_wait_refuses_at_its_end() {
    let budget = told(10, 0).await;
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
    let asked_at = Instant::now();
    let Busy { retry_after } = budget.take(Priority::Create).await.unwrap_err();
    assert_eq!(asked_at.elapsed(), Duration::ZERO);
    // The refill is not known yet, but those before it are gone by then.
    assert_eq!(retry_after, 3 * SECOND);
    let mut refused = 0;
    while let Some(done) = tasks.join_next().await {
        let (permit, waited) = done.unwrap();
        assert!(waited <= 3 * SECOND + SECOND / 100, "{waited:?}");
        refused += usize::from(permit.is_err());
    }
    assert!((2..=3).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_told_time_and_then_one_at_a_time() {
    for (headers, wait) in [
        (with(bucket(10, 0), RETRY_AFTER, 86_400), 86_400),
        (with(HeaderMap::new(), RETRY_AFTER, 7), 7),
        (with(HeaderMap::new(), RETRY_AFTER, 4_000_000_000), 86_400),
        (bucket(10, 0), 1),
        (with(bucket(10, 0), HeaderName::from_static("x-ratelimit-reset"), 1_790_000_009), 9),
        // A reset that was before `Date`, or hours after it, is a mistake.
        (with(bucket(10, 0), HeaderName::from_static("x-ratelimit-reset"), 1_789_999_000), 1),
        (with(bucket(10, 0), HeaderName::from_static("x-ratelimit-reset"), 1_790_003_600), 1),
        (HeaderMap::new(), 1),
        (with(HeaderMap::new(), AGE, 20), 1),
    ] {
        let budget = told(10, 9).await;
        let refused = at_once(&budget, Priority::Create).await.unwrap();
        refused.answered(429, &headers);
        if wait > 3 {
            let Busy { retry_after } = budget.take(Priority::Create).await.unwrap_err();
            assert!(retry_after >= SECOND * wait, "{retry_after:?} {headers:?}");
        }
        advance((SECOND * wait).saturating_sub(TICK)).await;
        assert_eq!(at_once_count(&budget).await, 0, "{headers:?}");
        advance(TICK).await;
        let probe = at_once(&budget, Priority::Create).await.unwrap();
        assert!(at_once(&budget, Priority::Create).await.is_none(), "{headers:?}");
        probe.answered(201, &bucket(10, 9));
        assert!(at_once(&budget, Priority::Create).await.is_none(), "not all at once");
        sleep(SECOND).await;
        assert!(at_once(&budget, Priority::Create).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_told_at_once_when_it_would_be_too_long() {
    let budget = told(10, 9).await;
    let refused = at_once(&budget, Priority::Create).await.unwrap();
    while at_once(&budget, Priority::Create).await.map(std::mem::forget).is_some() {}
    let waits = Arc::clone(&budget);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { waits.take(Priority::Create).await.map(|_| ()) });
    sleep(Duration::from_millis(1)).await;
    refused.answered(429, &with(HeaderMap::new(), RETRY_AFTER, 60));
    let told = timeout(SECOND / 100, tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert!(told.unwrap_err().retry_after >= 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn refusals_in_a_row_that_tell_no_time_are_asked_less_and_less() {
    let budget = told(10, 9).await;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        at_once(&budget, Priority::Create).await.unwrap().answered(429, &HeaderMap::new());
        advance((SECOND * wait).saturating_sub(TICK)).await;
        assert!(at_once(&budget, Priority::Create).await.is_none(), "{wait}");
        advance(TICK).await;
    }
    at_once(&budget, Priority::Create).await.unwrap().answered(201, &bucket(10, 9));
    sleep(SECOND).await;
    at_once(&budget, Priority::Create).await.unwrap().answered(429, &HeaderMap::new());
    sleep(SECOND).await;
    assert!(at_once(&budget, Priority::Create).await.is_some(), "counted anew");
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_an_answer_makes_room_for_the_next() {
    let budget = told(10, 9).await;
    at_once(&budget, Priority::Create).await.unwrap().answered(429, &HeaderMap::new());
    sleep(SECOND).await;
    let probe = at_once(&budget, Priority::Create).await.unwrap();
    assert!(at_once(&budget, Priority::Create).await.is_none());
    drop(probe);
    assert!(at_once(&budget, Priority::Create).await.is_some());
}
