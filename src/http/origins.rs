//! The origins whose pages may post: tower-http's `CsrfLayer`, with a problem for other origins.
//!
//! Nothing here depends on a cookie, so a foreign page gains no session by a post. But its posts
//! would come from its visitors' addresses, by which the limits count.

use axum::response::{IntoResponse as _, Response};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue};
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use super::problem::{Problem, ProblemCode};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The allowed origins, compared byte for byte as browsers write them. `null` is never allowed.
#[derive(Debug, Clone)]
pub struct Origins {
    layer: CsrfLayer<fn(ProtectionError) -> Response>,
    required: bool,
}

impl Origins {
    /// Allows these origins. `required` rejects a post that has neither `Sec-Fetch-Site` nor
    /// `Origin`, such as a program's.
    ///
    /// # Errors
    /// When one is not an origin.
    pub fn new<'o>(
        allowed: impl IntoIterator<Item = &'o HeaderValue>,
        required: bool,
    ) -> Result<Self, ConfigError> {
        let rejection: fn(ProtectionError) -> Response = |_| problem().into_response();
        let mut layer = CsrfLayer::new().with_rejection_response(rejection);
        for origin in allowed {
            layer = layer.add_trusted_origin(origin.to_str().unwrap_or_default())?;
        }
        Ok(Self { layer, required })
    }

    /// The layer that rejects posts from other origins, by `Sec-Fetch-Site` and `Origin`. Browsers
    /// set these headers, and pages cannot.
    pub(super) fn layer(&self) -> CsrfLayer<fn(ProtectionError) -> Response> {
        self.layer.clone()
    }

    /// Rejects a post without an origin if one is required. The layer would let it pass.
    ///
    /// # Errors
    /// When an origin is required and missing.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let has = |name| headers.get(name).is_some_and(|value| !value.is_empty());
        let is_allowed = !self.required || has(SEC_FETCH_SITE) || has(ORIGIN);
        if is_allowed { Ok(()) } else { Err(problem()) }
    }
}

const fn problem() -> Problem {
    Problem::new(ProblemCode::OriginNotAllowed)
}
