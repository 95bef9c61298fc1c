//! Rate limits by plan, as token buckets on the emulator's own clock.

use std::collections::HashMap;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::locked::Locked;
use crate::route::Route;

/// The subscription whose limits apply, with the numbers of Auth0's published tables (mid-2026).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// No request is refused. The headers still count, as a private cloud's would.
    #[default]
    Unlimited,
    /// Free: 2 requests, 2 more each second.
    Free,
    /// Essentials and Professional: 20 writes, 200 more each minute.
    #[serde(alias = "professional")]
    Essentials,
    /// Enterprise, production: 50 requests, 16 more each second.
    Enterprise,
    /// Enterprise, non-production: 10 requests, 2 more each second.
    EnterpriseTest,
    /// Other numbers, for the Management and the Authentication API alike.
    Custom {
        /// How many requests may come at once.
        burst: u32,
        /// How many more each second.
        per_second: f64,
    },
}

/// A bucket's size and how fast it fills again.
#[derive(Clone, Copy, Debug, PartialEq)]
struct BucketLimit {
    /// How many permits it holds.
    burst: u32,
    /// How many come back each second.
    per_second: f64,
}

/// The requests that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EndpointGroup {
    /// The whole Management API, or its writes where a plan counts those apart.
    ManagementWrites,
    /// The Management API's reads, on plans that count by endpoint group.
    ManagementReads,
    /// The Authentication API.
    Authentication,
}

impl Plan {
    /// The bucket of a request, if the plan limits it.
    fn bucket(self, route: Route) -> (EndpointGroup, BucketLimit) {
        let group = match route {
            _ if !route.is_management() => EndpointGroup::Authentication,
            Route::CreateUser | Route::DeleteUser => EndpointGroup::ManagementWrites,
            // Only the middle plans count by endpoint group. No number is published for the group
            // of the reads; it gets that of the writes.
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

/// How many tokens one application may draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientQuota {
    /// Tokens in an hour of UTC.
    pub per_hour: Option<u32>,
    /// Tokens in a day of UTC.
    pub per_day: Option<u32>,
}

/// What a bucket said to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RateDecision {
    /// Whether the request may go on.
    pub(crate) allowed: bool,
    /// The bucket's size.
    limit: u32,
    /// Whole permits left.
    remaining: u32,
    /// When the next permit comes, in seconds since 1970.
    pub(crate) reset: i64,
}

impl RateDecision {
    /// Writes the three headers of the rate limit.
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
    /// Permits left, with the part that has come back so far.
    permits: f64,
    /// When that was counted.
    at: f64,
}

/// The buckets of one tenant.
#[derive(Debug)]
pub(crate) struct PlanBuckets(Locked<HashMap<EndpointGroup, PermitBucket>>);

impl Default for PlanBuckets {
    fn default() -> Self {
        Self(Locked::new(HashMap::new()))
    }
}

impl PlanBuckets {
    /// Takes a permit for a request at `now`, in seconds since 1970.
    pub(crate) fn take(&self, plan: Plan, route: Route, now: f64) -> RateDecision {
        let (group, limit) = plan.bucket(route);
        let unlimited = plan == Plan::Unlimited;
        self.0.with(|buckets| {
            let full = f64::from(limit.burst);
            let bucket = buckets.entry(group).or_insert(PermitBucket { permits: full, at: now });
            let came_back = (now - bucket.at).max(0.0) * limit.per_second;
            bucket.permits = (bucket.permits + came_back).min(full);
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

    /// Fills every bucket.
    pub(crate) fn reset(&self) {
        self.0.with(HashMap::clear);
    }
}

/// The whole part of a number that is not negative.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and std has no other conversion from a float"
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
    fn each_plan_lets_its_burst_through_and_then_its_rate() {
        for (plan, burst, in_a_minute) in [
            (Plan::Free, 2, 120),
            (Plan::Essentials, 20, 200),
            (Plan::Enterprise, 50, 960),
            (Plan::EnterpriseTest, 10, 120),
        ] {
            let buckets = PlanBuckets::default();
            assert_eq!(allowed(&buckets, plan, Route::CreateUser, START, 100), burst, "{plan:?}");
            // A second and a quarter at a time, so that no bucket overflows.
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
        let refused = buckets.take(plan, Route::CreateUser, START + 1.0);
        assert_eq!((refused.allowed, refused.reset), (false, 1_700_000_004));
        assert!(buckets.take(plan, Route::CreateUser, START + 4.0).allowed);
    }

    #[test]
    fn reads_and_writes_are_apart_only_where_the_plan_says_so() {
        let buckets = PlanBuckets::default();
        allowed(&buckets, Plan::Essentials, Route::CreateUser, START, 20);
        assert!(buckets.take(Plan::Essentials, Route::GetUser, START).allowed);
        let buckets = PlanBuckets::default();
        allowed(&buckets, Plan::Free, Route::CreateUser, START, 2);
        assert!(!buckets.take(Plan::Free, Route::GetUser, START).allowed);
        assert!(buckets.take(Plan::Free, Route::Token, START).allowed);
    }

    #[test]
    fn the_unlimited_plan_refuses_nothing() {
        assert_eq!(
            allowed(&PlanBuckets::default(), Plan::Unlimited, Route::CreateUser, START, 6_000),
            6_000
        );
    }
}
