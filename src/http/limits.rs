//! The limit on posts, applied before their content is read, and the headers that report a client's
//! limits (draft-ietf-httpapi-ratelimit-headers).

use std::time::Duration;

use axum::extract::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::extensions::client;
use super::problem::{Problem, whole_seconds};
use crate::abuse::{Limits, RateLimitReport};
use crate::limits::{Limit, Rate};

/// The policy of a limit.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The client's state in the limit that applied last.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Charges a post to its client's address. Other methods are free.
///
/// # Errors
/// When the address has posted too often.
pub(super) fn charge_post(limits: &Limits, request: &Request) -> Result<(), Problem> {
    // Only posts have a report.
    let Some(report) = request.extensions().get::<RateLimitReport>() else { return Ok(()) };
    limits.acquire_post(client(request).ip(), report).map_err(Problem::from)
}

/// Writes the headers that report a client's limits: those with a [`Limit::policy_name`].
#[derive(Debug)]
pub(super) struct RateLimitHeaders {
    /// Made once: policies do not change.
    policies: Vec<(Limit, HeaderValue)>,
}

impl RateLimitHeaders {
    /// The headers of these limits.
    pub(super) fn new(limits: &Limits) -> Self {
        let policies = limits.rates();
        let policies = policies.filter_map(|(limit, rate)| Some((limit, policy(limit, rate)?)));
        Self { policies: policies.collect() }
    }

    /// Starts a report for a post.
    pub(super) fn start_report(request: &mut Request) -> Option<RateLimitReport> {
        (request.method() == Method::POST).then(|| {
            let report = RateLimitReport::default();
            request.extensions_mut().insert(report.clone());
            report
        })
    }

    /// Adds the headers for a report, if it has the state of a per-client limit.
    pub(super) fn insert(&self, report: &RateLimitReport, headers: &mut HeaderMap) {
        headers.extend(self.headers(report).into_iter().flatten());
    }

    fn headers(&self, report: &RateLimitReport) -> Option<[(HeaderName, HeaderValue); 2]> {
        let quota = report.quota()?;
        let (_, policy) = self.policies.iter().find(|(limit, _)| *limit == quota.limit)?;
        let name = quota.limit.policy_name()?;
        let (remaining, next_in) = (quota.remaining, whole_seconds(quota.next_in));
        let state = HeaderValue::try_from(format!("\"{name}\";r={remaining};t={next_in}")).ok()?;
        Some([(POLICY, policy.clone()), (RATE_LIMIT, state)])
    }
}

/// The burst as the quota, and the time in which it refills as the window.
fn policy(limit: Limit, rate: Rate) -> Option<HeaderValue> {
    let window: Duration = rate.every.saturating_mul(rate.burst);
    let (name, burst, window) = (limit.policy_name()?, rate.burst, whole_seconds(window).max(1));
    HeaderValue::try_from(format!("\"{name}\";q={burst};w={window}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_burst_and_the_time_it_takes_to_refill() {
        let rate = Rate { burst: 50, every: Duration::from_mins(1) };
        assert_eq!(policy(Limit::Address, rate).unwrap(), "\"attempts\";q=50;w=3000");
        let quick = Rate { burst: 2, every: Duration::from_millis(10) };
        assert_eq!(policy(Limit::Posts, quick).unwrap(), "\"posts\";q=2;w=1");
        assert_eq!(policy(Limit::Email, rate), None);
    }
}
