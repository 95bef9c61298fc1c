//! The limit on posts, before anything of them is looked at, and the headers that tell an address how
//! it stands (draft-ietf-httpapi-ratelimit-headers).

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower::{Layer, Service};

use super::pipeline::{client, refused};
use super::problem::{Problem, whole_seconds};
use crate::abuse::{Limits, RateLimitReport};
use crate::signup::{Limit, Rate};

/// Which limits an address has.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How it stands with the one that it met last.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Spends a post of its address before what it wraps; other methods spend nothing.
#[derive(Debug, Clone)]
pub(super) struct PostLimit(pub(super) Arc<Limits>);

impl<S> Layer<S> for PostLimit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { limits: Arc::clone(&self.0), inner }
    }
}

/// A service that sees no post of an address that has posted too often.
#[derive(Debug, Clone)]
pub(super) struct Limited<S> {
    limits: Arc<Limits>,
    inner: S,
}

impl<S> Service<Request> for Limited<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.spend(&request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_response()))),
        }
    }
}

impl<S> Limited<S> {
    fn spend(&self, request: &Request) -> Result<(), Problem> {
        // There for posts alone.
        let Some(tally) = request.extensions().get::<RateLimitReport>() else { return Ok(()) };
        self.limits.acquire_post(client(request).ip(), tally).map_err(refused)
    }
}

/// The headers that tell an address how it stands.
#[derive(Debug, Clone)]
pub(super) struct RateHeaders {
    /// Made once: a policy does not change.
    policies: Arc<[(Limit, HeaderValue)]>,
}

impl RateHeaders {
    /// For these limits.
    pub(super) fn new(limits: &Limits) -> Self {
        let told = limits.reported();
        let policies = told.filter_map(|(limit, rate)| Some((limit, policy(limit, rate)?)));
        Self { policies: policies.collect() }
    }

    /// Begins to note what a post meets.
    pub(super) fn tally(request: &mut Request) -> Option<RateLimitReport> {
        (request.method() == Method::POST).then(|| {
            let tally = RateLimitReport::default();
            request.extensions_mut().insert(tally.clone());
            tally
        })
    }

    /// Tells what it met.
    pub(super) fn put(&self, tally: &RateLimitReport, headers: &mut HeaderMap) {
        headers.extend(self.of(tally).into_iter().flatten());
    }

    fn of(&self, tally: &RateLimitReport) -> Option<[(HeaderName, HeaderValue); 2]> {
        let quota = tally.quota()?;
        let (_, policy) = self.policies.iter().find(|(limit, _)| *limit == quota.limit)?;
        let name = name(quota.limit)?;
        let (left, more_in) = (quota.remaining, whole_seconds(quota.next_in));
        let stands = HeaderValue::try_from(format!("\"{name}\";r={left};t={more_in}")).ok()?;
        Some([(POLICY, policy.clone()), (RATE_LIMIT, stands)])
    }
}

/// A policy's name on the wire; `None` for what is no limit of an address.
const fn name(limit: Limit) -> Option<&'static str> {
    match limit {
        Limit::Posts => Some("posts"),
        Limit::Address => Some("attempts"),
        Limit::SitePosts | Limit::Network | Limit::Email | Limit::WithProof | Limit::Service => {
            None
        }
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
