//! Rate limits by plan, as token buckets on the emulator's own clock.

use std::collections::HashMap;

use clap::ValueEnum;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::locked::Locked;
use crate::route::Route;

/// The subscription whose limits apply. The numbers are from Auth0's published tables (mid-2026).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// No limit.
    ///
    /// The headers still count down, as a private cloud's would.
    #[default]
    Unlimited,
    /// Burst of 2, then 2 requests a second.
    Free,
    /// Burst of 20 writes, then 200 a minute.
    ///
    /// Professional has the same limits.
    #[serde(alias = "professional")]
    #[value(alias = "professional")]
    Essentials,
    /// Burst of 50, then 16 requests a second.
    ///
    /// Of a production tenant.
    Enterprise,
    /// Burst of 10, then 2 requests a second.
    ///
    /// Of a tenant that is not in production.
    EnterpriseTest,
    /// Custom numbers, for both the Management and the Authentication API.
    #[value(skip)]
    Custom {
        /// Requests allowed at once.
        burst: u32,
        /// Permits added each second.
        per_second: f64,
    },
}

/// A bucket's capacity and refill rate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct BucketLimit {
    /// Permits in a full bucket.
    burst: u32,
    /// Permits added each second.
    per_second: f64,
}

/// The requests that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EndpointGroup {
    /// The whole Management API, or only its writes if the plan counts them separately.
    ManagementWrites,
    /// The Management API's reads, on plans that count by endpoint group.
    ManagementReads,
    /// The Authentication API.
    Authentication,
}

impl Plan {
    /// The bucket and the limit for a request.
    fn bucket(self, route: Route) -> (EndpointGroup, BucketLimit) {
        let group = match route {
            _ if !route.is_management() => EndpointGroup::Authentication,
            Route::CreateUser | Route::DeleteUser => EndpointGroup::ManagementWrites,
            // Only the middle plans count by endpoint group. No number is published for the read
            // group, so it gets that of the writes.
            _ if self == Self::Essentials => EndpointGroup::ManagementReads,
            _ => EndpointGroup::ManagementWrites,
        };
        let authentication = group == EndpointGroup::Authentication;
        let (burst, per_second) = match self {
            Self::Unlimited => (5_000, 5_000.0),
            Self::Free if authentication => (30, 30.0),
            Self::Free => (2, 2.0),
            Self::Essentials if authentication => (25, 25.0),
            Self::Essentials => (20, 200.0 / 60.0),
            Self::Enterprise | Self::EnterpriseTest if authentication => (100, 100.0),
            Self::Enterprise => (50, 16.0),
            Self::EnterpriseTest => (10, 2.0),
            Self::Custom { burst, per_second } => (burst, per_second),
        };
        (group, BucketLimit { burst, per_second })
    }
}

/// The maximum number of tokens issued to one application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientQuota {
    /// Tokens per hour of UTC.
    pub per_hour: Option<u32>,
    /// Tokens per day of UTC.
    pub per_day: Option<u32>,
}

/// The result of taking a permit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RateDecision {
    /// Set if the request is within the limit.
    pub(crate) allowed: bool,
    /// The bucket's capacity.
    limit: u32,
    /// Whole permits remaining.
    remaining: u32,
    /// The time of the next permit, in seconds since 1970.
    pub(crate) reset: i64,
}

impl RateDecision {
    /// Writes the three rate-limit headers.
    pub(crate) fn write_to(self, headers: &mut HeaderMap) {
        let mut put = |name, value: i64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        put("x-ratelimit-limit", self.limit.into());
        put("x-ratelimit-remaining", self.remaining.into());
        put("x-ratelimit-reset", self.reset);
    }
}

/// One bucket.
#[derive(Clone, Copy, Debug)]
struct PermitBucket {
    /// Permits remaining, with the fraction refilled so far.
    permits: f64,
    /// The time of that count.
    at: f64,
}

/// The buckets of one tenant.
#[derive(Debug, Default)]
pub(crate) struct PlanBuckets(Locked<HashMap<EndpointGroup, PermitBucket>>);

impl PlanBuckets {
    /// Takes a permit at `now`, in seconds since 1970.
    pub(crate) fn take(&self, plan: Plan, route: Route, now: f64) -> RateDecision {
        let (group, limit) = plan.bucket(route);
        let unlimited = plan == Plan::Unlimited;
        self.0.with(|buckets| {
            let full = f64::from(limit.burst);
            let bucket = buckets.entry(group).or_insert(PermitBucket { permits: full, at: now });
            let refilled = (now - bucket.at).max(0.0) * limit.per_second;
            bucket.permits = (bucket.permits + refilled).min(full);
            bucket.at = now;
            let allowed = unlimited || bucket.permits >= 1.0;
            if bucket.permits >= 1.0 {
                bucket.permits -= 1.0;
            }
            let until_next = (1.0 - bucket.permits.fract()) / limit.per_second.max(f64::EPSILON);
            RateDecision {
                allowed,
                limit: limit.burst,
                remaining: whole(bucket.permits),
                reset: i64::from(whole((now + until_next).ceil())),
            }
        })
    }

    /// Refills every bucket.
    pub(crate) fn reset(&self) {
        self.0.with(HashMap::clear);
    }
}

/// The whole part of a non-negative number.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and std has no other conversion from a float"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: f64 = 1_700_000_000.0;

    fn allowed(buckets: &PlanBuckets, plan: Plan, route: Route, at: f64, tries: usize) -> usize {
        (0..tries).filter(|_| buckets.take(plan, route, at).allowed).count()
    }

    #[test]
    fn each_plan_allows_its_burst_and_then_its_rate() {
        for (plan, burst, in_a_minute) in [
            (Plan::Free, 2, 120),
            (Plan::Essentials, 20, 200),
            (Plan::Enterprise, 50, 960),
            (Plan::EnterpriseTest, 10, 120),
        ] {
            let buckets = PlanBuckets::default();
            assert_eq!(allowed(&buckets, plan, Route::CreateUser, START, 100), burst, "{plan:?}");
            // A quarter of a second at a time, so that no bucket overflows.
            let later = (1..=240)
                .map(|i| allowed(&buckets, plan, Route::CreateUser, START + f64::from(i) / 4.0, 50))
                .sum::<usize>();
            assert!(later.abs_diff(in_a_minute) <= 1, "{plan:?}: {later}");
        }
    }

    #[test]
    fn reset_is_the_second_of_the_next_permit() {
        let buckets = PlanBuckets::default();
        let plan = Plan::Custom { burst: 1, per_second: 0.25 };
        let first = buckets.take(plan, Route::CreateUser, START);
        assert_eq!((first.allowed, first.remaining, first.limit), (true, 0, 1));
        assert_eq!(first.reset, 1_700_000_004);
        let rejected = buckets.take(plan, Route::CreateUser, START + 1.0);
        assert_eq!((rejected.allowed, rejected.reset), (false, 1_700_000_004));
        assert!(buckets.take(plan, Route::CreateUser, START + 4.0).allowed);
    }

    #[test]
    fn reads_and_writes_are_separate_only_on_plans_with_groups() {
        let buckets = PlanBuckets::default();
        allowed(&buckets, Plan::Essentials, Route::CreateUser, START, 20);
        assert!(buckets.take(Plan::Essentials, Route::GetUser, START).allowed);
        let buckets = PlanBuckets::default();
        allowed(&buckets, Plan::Free, Route::CreateUser, START, 2);
        assert!(!buckets.take(Plan::Free, Route::GetUser, START).allowed);
        assert!(buckets.take(Plan::Free, Route::Token, START).allowed);
    }

    #[test]
    fn the_unlimited_plan_rejects_nothing() {
        assert_eq!(
            allowed(&PlanBuckets::default(), Plan::Unlimited, Route::CreateUser, START, 6_000),
            6_000
        );
    }
}
