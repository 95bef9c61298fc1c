//! The limit on posts, before anything of them is looked at, and the headers that tell an address how
//! it stands (draft-ietf-httpapi-ratelimit-headers).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Method};

use super::problem::whole_seconds;
use super::stages::{client, refused};
use crate::abuse::{Limits, Quota, Tally};
use crate::signup::{Limit, Rate};

/// Which limits an address has.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How it stands with the one that it met last.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What the layer needs of the app.
#[derive(Debug, Clone)]
pub(super) struct PostLimit {
    limits: Arc<Limits>,
    /// Made once: a policy does not change.
    policies: Arc<[(Limit, HeaderValue)]>,
}

impl PostLimit {
    /// Spends these limits.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        let policies =
            limits.told().filter_map(|(limit, rate)| Some((limit, policy(limit, rate)?)));
        let policies = policies.collect();
        Self { limits, policies }
    }

    fn headers(&self, quota: &Quota) -> Option<[(HeaderName, HeaderValue); 2]> {
        let (_, policy) = self.policies.iter().find(|(limit, _)| *limit == quota.limit)?;
        let name = name(quota.limit)?;
        let (left, more_in) = (quota.left, whole_seconds(quota.more_in));
        let stands = HeaderValue::try_from(format!("\"{name}\";r={left};t={more_in}")).ok()?;
        Some([(POLICY, policy.clone()), (RATE_LIMIT, stands)])
    }
}

/// Spends a post of the address; other methods spend nothing.
pub(super) async fn posts(
    State(limit): State<PostLimit>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let tally = Tally::default();
    let mut response = match limit.limits.post(client(&request).ip(), &tally) {
        Ok(()) => {
            request.extensions_mut().insert(tally.clone());
            next.run(request).await
        }
        Err(refusal) => refused(refusal).into_response(),
    };
    if let Some(headers) = tally.quota().and_then(|quota| limit.headers(&quota)) {
        response.headers_mut().extend(headers);
    }
    response
}

/// A policy's name on the wire; `None` for what is no limit of an address.
const fn name(limit: Limit) -> Option<&'static str> {
    match limit {
        Limit::Posts => Some("posts"),
        Limit::Address => Some("attempts"),
        Limit::SitePosts | Limit::Network | Limit::Email | Limit::Proven | Limit::Service => None,
    }
}

/// So many permits in the time in which as many come back.
fn policy(limit: Limit, rate: Rate) -> Option<HeaderValue> {
    let window: Duration = rate.every.saturating_mul(rate.burst);
    let (name, burst, window) = (name(limit)?, rate.burst, whole_seconds(window).max(1));
    HeaderValue::try_from(format!("\"{name}\";q={burst};w={window}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_burst_and_the_time_it_takes_to_come_back() {
        let rate = Rate { burst: 50, every: Duration::from_mins(1) };
        assert_eq!(policy(Limit::Address, rate).unwrap(), "\"attempts\";q=50;w=3000");
        let quick = Rate { burst: 2, every: Duration::from_millis(10) };
        assert_eq!(policy(Limit::Posts, quick).unwrap(), "\"posts\";q=2;w=1");
        assert_eq!(policy(Limit::Email, rate), None);
    }
}
