//! Deletion of old attempts, expired keys and expired proofs.
//!
//! A clock that is ahead must not delete what is still needed. So the sweeper compares the progress of the
//! ledger's clock with its own monotonic one, and deletes only after the two have agreed for a while. And it
//! deletes nothing while the ledger's time differs from the tenant's. The tenant's time is that of its newest response
//! plus the time since, by the monotonic clock, which stands still while the machine is suspended. So a response that
//! arrived before the two clocks last disagreed does not count.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Signups;
use super::existing_account_notice::QUIET;
use crate::clock::{LedgerTime, TenantTime};
use crate::ledger::{LedgerError, Retention};
use crate::telemetry::{ClockSkew, chain};

/// The most rows deleted at once, and the pause before the next batch.
const BATCH: (usize, Duration) = (500, Duration::from_millis(100));

/// The interval between sweeps.
const INTERVAL: Duration = Duration::from_mins(1);

/// Time for which the clocks must have agreed before anything is deleted.
const STEADY_FOR: Duration = Duration::from_mins(10);

/// The largest difference between the progress of two clocks that agree. A call of the ledger and
/// the correction of a clock by NTP stay below it.
const TOLERANCE: Duration = Duration::from_secs(2);

impl Signups {
    /// Deletes what the ledger no longer needs, attempts after this time. Runs until it is dropped.
    pub async fn sweep(self, attempts: Duration) {
        // No proof of a challenge lasts as long as the mark of a notice.
        let retention = Retention { attempts, keys: self.0.timeouts.key_lifetime, proofs: QUIET };
        let mut clocks = ClockComparison::default();
        loop {
            if let Err(error) = self.sweep_once(&mut clocks, retention).await {
                tracing::warn!(error = chain(&error), "old attempts cannot be deleted: {error}");
            }
            sleep(INTERVAL).await;
        }
    }

    /// Deletes batch by batch, for as long as the clocks agree.
    async fn sweep_once(
        &self,
        clocks: &mut ClockComparison,
        retention: Retention,
    ) -> Result<(), LedgerError> {
        let ledger = &self.0.ledger;
        let tenant = |since| self.0.auth0.tenant_now_since(since);
        let (batch, pause) = BATCH;
        // Compared before each batch: after a rush of sign-ups there are thousands.
        while clocks.allow_deletion(ledger.now().await?, tenant, Instant::now())
            && !ledger.sweep(retention, batch).await?.is_done(batch)
        {
            sleep(pause).await;
        }
        Ok(())
    }
}

/// The progress of the ledger's clock beside the monotonic one, and its time beside the tenant's.
#[derive(Debug, Default)]
struct ClockComparison {
    last: Option<(LedgerTime, Instant)>,
    /// The time since when both have agreed.
    steady_since: Option<Instant>,
    /// The time when they last disagreed.
    disagreed_at: Option<Instant>,
    /// True if the ledger's time differed from the tenant's when they were last compared.
    is_wrong: bool,
}

impl ClockComparison {
    /// Returns whether the ledger's clock is right, as far as this process knows. `tenant`: the tenant's time, by a
    /// response that arrived since then.
    fn allow_deletion(
        &mut self,
        ledger: LedgerTime,
        tenant: impl FnOnce(Option<Instant>) -> Option<TenantTime>,
        now: Instant,
    ) -> bool {
        let are_steady = self.are_steady(ledger, now);
        let differs = |tenant: TenantTime| {
            tenant.since_epoch().abs_diff(ledger.since_epoch()) >= ClockSkew::SEVERE
        };
        let is_wrong = tenant(self.disagreed_at).is_some_and(differs);
        if is_wrong && !self.is_wrong {
            tracing::warn!(
                "the ledger's clock differs from the tenant's: nothing is deleted until they agree"
            );
        }
        self.is_wrong = is_wrong;
        are_steady && !is_wrong
    }

    /// Compares the clocks, and returns whether they have agreed for long enough.
    fn are_steady(&mut self, ledger: LedgerTime, now: Instant) -> bool {
        let agree = self.last.is_some_and(|(last_ledger, last)| {
            let (wall, elapsed) = (ledger.since(last_ledger), now.duration_since(last));
            ledger >= last_ledger && wall.abs_diff(elapsed) <= TOLERANCE
        });
        self.last = Some((ledger, now));
        if !agree {
            if self.steady_since.is_some() {
                tracing::warn!("the clock was set: nothing is deleted for ten minutes");
                self.disagreed_at = Some(now);
            }
            self.steady_since = None;
        }
        let since = *self.steady_since.get_or_insert(now);
        now.duration_since(since) >= STEADY_FOR
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::ledger::{AttemptId, Binding, Find};
    use crate::signup::call::PreparedCall;
    use crate::signup::test_service::TestService;

    const DAY: Duration = Duration::from_hours(24);

    const RETENTION: Retention = Retention { attempts: DAY, keys: DAY, proofs: DAY };

    /// Records attempts that started at this time.
    async fn record(service: &TestService, attempts: usize, at: LedgerTime) -> Vec<AttemptId> {
        let request = service.request(None);
        let attempts = (0..attempts).map(async |_| {
            let call = PreparedCall::new(service.inner(), &request, at);
            service.record(&request, &call, Binding::from_bytes([1, 2])).await;
            call.id
        });
        futures_util::future::join_all(attempts).await
    }

    /// Clocks that have agreed for long enough.
    async fn steady_clocks(service: &TestService) -> ClockComparison {
        let steady_since = Some(Instant::now());
        tokio::time::pause();
        tokio::time::advance(STEADY_FOR).await;
        tokio::time::resume();
        let last = Some((service.inner().ledger.now().await.unwrap(), Instant::now()));
        ClockComparison { last, steady_since, ..ClockComparison::default() }
    }

    #[tokio::test]
    async fn a_sweep_goes_on_until_nothing_old_is_left() {
        let service = TestService::start().await;
        let ledger = &service.inner().ledger;
        let now = ledger.now().await.unwrap();
        let (batch, _) = BATCH;
        record(&service, batch + 1, now.before(2 * DAY)).await;
        let mut clocks = steady_clocks(&service).await;
        service.signups.sweep_once(&mut clocks, RETENTION).await.unwrap();
        assert!(ledger.find(Find::All, 10).await.unwrap().is_empty());
    }

    /// The machine's clock, set forward by this much.
    #[derive(Debug, Default)]
    struct SetForward(Mutex<Duration>);

    impl Clock for SetForward {
        fn now(&self) -> Duration {
            SystemClock.now() + *self.0.lock()
        }
    }

    #[tokio::test]
    async fn a_sweep_ends_when_the_clock_is_set() {
        let clock = Arc::new(SetForward::default());
        let service = TestService::start_at(Arc::<SetForward>::clone(&clock)).await;
        let ledger = &service.inner().ledger;
        let now = ledger.now().await.unwrap();
        let (batch, _) = BATCH;
        let old = record(&service, 3 * batch, now.before(2 * DAY)).await;
        let [new] = *record(&service, 1, now).await else { panic!("one attempt") };
        let mut clocks = steady_clocks(&service).await;
        let set_forward = async {
            while ledger.find(Find::All, old.len()).await.unwrap().len() == old.len() {
                sleep(Duration::from_millis(1)).await;
            }
            *clock.0.lock() = 40 * DAY;
        };
        let sweep = service.signups.sweep_once(&mut clocks, RETENTION);
        let (swept, ()) = tokio::join!(sweep, set_forward);
        swept.unwrap();
        assert!(ledger.get(new).await.unwrap().is_some());
    }

    #[test]
    fn nothing_is_deleted_until_the_clocks_have_agreed_for_ten_minutes() {
        let mut clocks = ClockComparison::default();
        let start = Instant::now();
        let mut at = |minute: u64, ahead: i64| {
            let wall = 1_790_000_000 + i64::try_from(minute * 60).unwrap() + ahead;
            let wall = Duration::from_secs(u64::try_from(wall).unwrap());
            clocks.are_steady(LedgerTime::from_epoch(wall), start + Duration::from_mins(minute))
        };
        assert!((0..10).all(|minute| !at(minute, 0)));
        assert!(at(10, 0) && at(11, 1));
        assert!(!at(12, 86_400), "set forward by a day");
        assert!(!at(13, 0), "and back");
        assert!((14..23).all(|minute| !at(minute, 0)));
        assert!(at(23, 0));
    }

    #[test]
    fn nothing_is_deleted_while_the_ledgers_time_is_not_the_tenants() {
        let start = Instant::now();
        let wall = Duration::from_secs(1_790_000_000);
        let (month, second) = (Duration::from_hours(31 * 24), Duration::from_secs(1));
        for (by, is_allowed) in [(second * 29, true), (second * 30, false), (month, false)] {
            for is_ahead in [true, false] {
                let mut clocks = ClockComparison::default();
                let mut at = |minute, is_known: bool| {
                    let passed = Duration::from_mins(minute);
                    let tenant = wall + month + passed;
                    let ledger = if is_ahead { tenant + by } else { tenant.saturating_sub(by) };
                    let tenant = is_known.then(|| TenantTime::from_epoch(tenant));
                    let ledger = LedgerTime::from_epoch(ledger);
                    clocks.allow_deletion(ledger, |_| tenant, start + passed)
                };
                assert!((0..10).all(|minute| !at(minute, true)));
                assert_eq!(at(10, true), is_allowed, "{by:?} {is_ahead}");
                assert!(at(11, false), "a tenant that never showed its time");
            }
        }
    }

    #[test]
    fn a_response_from_before_a_suspension_shows_no_wrong_clock() {
        let (start, wall) = (Instant::now(), Duration::from_secs(1_790_000_000));
        let mut clocks = ClockComparison::default();
        let mut at = |minute, suspended: Duration, arrived_in: Option<u64>| {
            let passed = Duration::from_mins(minute);
            let arrived_at = start + Duration::from_mins(arrived_in.unwrap_or(0));
            let tenant = |since: Option<Instant>| {
                let counts = since.is_none_or(|since| arrived_at >= since);
                counts.then(|| TenantTime::from_epoch(wall + passed))
            };
            let ledger = LedgerTime::from_epoch(wall + passed + suspended);
            clocks.allow_deletion(ledger, tenant, start + passed)
        };
        assert!((0..10).all(|minute| !at(minute, Duration::ZERO, None)));
        assert!(at(10, Duration::ZERO, None));
        let suspended = Duration::from_mins(2);
        assert!((11..21).all(|minute| !at(minute, suspended, None)));
        assert!(at(21, suspended, None));
        assert!(!at(22, suspended, Some(22)), "a response that shows that the clock was set");
    }
}
