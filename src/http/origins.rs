//! The origins whose pages may post: tower-http's `CsrfLayer`, with a problem for other origins.
//!
//! Nothing here depends on a cookie, so a foreign page gains no session by a post. But its posts
//! would come from its visitors' addresses, by which the limits count.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use super::problem::{Problem, ProblemCode};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin that a browser sends in place of one that it does not reveal.
const NULL: &[u8] = b"null";

/// The allowed origins, compared byte for byte as browsers write them. `null` is never allowed.
#[derive(Debug, Clone)]
pub struct Origins {
    layer: CsrfLayer<fn(ProtectionError) -> Response>,
    required: bool,
    /// `None` while the service's own origin is not known.
    known: Option<KnownOrigins>,
}

/// Every origin that may post, where the service's own is among them.
#[derive(Debug, Clone)]
struct KnownOrigins {
    all: Vec<HeaderValue>,
    own_host: Option<Authority>,
}

impl Origins {
    /// Allows these origins, and the service's own. `required` rejects a post that has neither
    /// `Sec-Fetch-Site` nor `Origin`, such as a program's.
    ///
    /// # Errors
    /// When one is not an origin.
    pub fn new(
        allowed: &[HeaderValue],
        own: Option<&HeaderValue>,
        required: bool,
    ) -> Result<Self, ConfigError> {
        let all = allowed.iter().chain(own);
        let rejection: fn(ProtectionError) -> Response = |_| problem().into_response();
        let mut layer = CsrfLayer::new().with_rejection_response(rejection);
        for origin in all.clone() {
            layer = layer.add_trusted_origin(origin.to_str().unwrap_or_default())?;
        }
        let known = own.map(|own| KnownOrigins {
            all: all.cloned().collect(),
            own_host: Uri::try_from(own.as_bytes()).ok().and_then(|uri| uri.authority().cloned()),
        });
        Ok(Self { layer, required, known })
    }

    /// Rejects a post from a page of another origin, even if its browser calls it this service's own:
    /// a name of the attacker's may resolve to this service (DNS rebinding). The layer cannot
    /// recognise that. While the own origin is not known, nothing is checked here.
    ///
    /// # Errors
    /// When the origin is not known.
    pub(super) fn check_known(&self, request: &Request) -> Result<(), Problem> {
        let Some(known) = &self.known else { return Ok(()) };
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let headers = request.headers();
        let is_known = match headers.get(ORIGIN) {
            None => true,
            Some(origin) if origin.is_empty() => true,
            // A page of the service's own has no such origin, unless its user hides it.
            Some(origin) if origin.as_bytes() == NULL => known.is_own_host(headers.get(HOST)),
            Some(origin) => known.all.contains(origin),
        };
        if is_known { Ok(()) } else { Err(problem()) }
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

impl KnownOrigins {
    fn is_own_host(&self, host: Option<&HeaderValue>) -> bool {
        let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        host.is_some() && host == self.own_host
    }
}

const fn problem() -> Problem {
    Problem::new(ProblemCode::OriginNotAllowed)
}
