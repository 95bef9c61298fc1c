//! Whose pages may post: tower-http's `CsrfLayer`, with a problem for those that may not.
//!
//! Nothing here depends on a cookie, so a foreign page gains no session by a post. It would gain the
//! visitors' addresses, which limits count by.

use axum::response::{IntoResponse as _, Response};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue};
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use super::problem::{Problem, ProblemCode};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whose pages may post, compared byte for byte as browsers write origins. `null` is never one.
#[derive(Debug, Clone)]
pub struct Origins {
    layer: CsrfLayer<fn(ProtectionError) -> Response>,
    required: bool,
}

impl Origins {
    /// Allows these. `required`: whether a post that says nothing of where it comes from is refused;
    /// programs send neither header.
    ///
    /// # Errors
    /// When one is no origin.
    pub fn new<'o>(
        allowed: impl IntoIterator<Item = &'o HeaderValue>,
        required: bool,
    ) -> Result<Self, ConfigError> {
        let refused: fn(ProtectionError) -> Response = |_| problem().into_response();
        let mut layer = CsrfLayer::new().with_rejection_response(refused);
        for origin in allowed {
            layer = layer.add_trusted_origin(origin.to_str().unwrap_or_default())?;
        }
        Ok(Self { layer, required })
    }

    /// Refuses what a page that is not allowed sends, by `Sec-Fetch-Site` and `Origin`: browsers set
    /// them, and no page can.
    pub(super) fn layer(&self) -> CsrfLayer<fn(ProtectionError) -> Response> {
        self.layer.clone()
    }

    /// Whether a post says where it comes from, where it has to: the layer lets those pass that say
    /// nothing.
    ///
    /// # Errors
    /// When it has to, and does not.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let is_given = |name| headers.get(name).is_some_and(|value| !value.is_empty());
        let is_named = !self.required || is_given(SEC_FETCH_SITE) || is_given(ORIGIN);
        if is_named { Ok(()) } else { Err(problem()) }
    }
}

const fn problem() -> Problem {
    Problem::new(ProblemCode::OriginNotAllowed)
}
