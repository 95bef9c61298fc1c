//! The origins whose pages may post, judged by the rules of Go's `CrossOriginProtection`, which
//! tower-http's `CsrfLayer` follows too. Here origins may be patterns, and default ports are equal.
//!
//! Nothing here depends on a cookie, so a foreign page gains no session by a post. But its posts
//! would come from its visitors' addresses, by which the limits count.

use std::sync::Arc;

use axum::extract::Request;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::extensions::PostedByServer;
use super::problem::{Problem, ProblemCode};
use super::rejected_origins::RejectedOrigins;
use crate::origin::{AllowedOrigins, without_default_port};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin that a browser sends in place of one that it does not reveal.
const NULL: &str = "null";

/// The allowed origins. `null` is never allowed.
#[derive(Debug, Clone)]
pub struct Origins {
    allowed: AllowedOrigins,
    /// The service's own origin; `None` while it is not known.
    own: Option<HeaderValue>,
    required: bool,
    rejected: Arc<RejectedOrigins>,
}

impl Origins {
    /// Allows these origins, and the service's own. `required` rejects a post that has neither
    /// `Sec-Fetch-Site` nor `Origin`, such as a program's.
    pub fn new(allowed: AllowedOrigins, own: Option<HeaderValue>, required: bool) -> Self {
        Self { allowed, own, required, rejected: Arc::default() }
    }

    /// Returns whether the settings list this origin.
    pub(super) fn lists(&self, origin: &str) -> bool {
        self.allowed.contains(origin)
    }

    /// Returns whether pages of this origin may post here and read the responses. The service's own
    /// pages need no permission to read.
    pub(super) fn may_read(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.lists(origin))
    }

    /// Logs a preflight from an origin that may not post. Its browser sends nothing else.
    pub(super) fn report_preflight(&self, origin: &HeaderValue) {
        if !self.may_read(origin) && self.own.as_ref() != Some(origin) {
            self.rejected.report(Some(origin));
        }
    }

    /// Rejects a post from a page of another origin. Browsers set the headers that this reads, and
    /// pages cannot.
    ///
    /// # Errors
    /// When the origin is not allowed.
    pub(super) fn check(&self, request: &Request) -> Result<(), Problem> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        self.check_page(request).inspect_err(|_| self.rejected.report(origin(request.headers())))
    }

    /// Rejects a request of any method from a page of another origin.
    ///
    /// # Errors
    /// When the origin is not allowed.
    pub(super) fn check_page(&self, request: &Request) -> Result<(), Problem> {
        let is_allowed = match (origin(request.headers()), &self.own) {
            (Some(origin), own) if own.as_ref() == Some(origin) || self.may_read(origin) => true,
            // No other origin is the service's own, even if its browser says so: a name of an
            // attacker's may resolve to this service (DNS rebinding). Only a page of its own whose
            // user hides the origin is posted from `null`.
            (Some(origin), Some(own)) => {
                let host = request.headers().get(HOST);
                origin == NULL
                    && host.is_some_and(|host| is_host_of(own, host.as_bytes()))
                    && is_same_site(request, Some(origin))
            }
            (origin, _) => is_same_site(request, origin),
        };
        if is_allowed { Ok(()) } else { Err(problem()) }
    }

    /// Rejects a post without an origin if one is required, unless a server posts for its visitors and
    /// has shown its token.
    ///
    /// # Errors
    /// When an origin is required and missing.
    pub(super) fn check_present(&self, request: &Request) -> Result<(), Problem> {
        let has = |name| request.headers().get(name).is_some_and(|value| !value.is_empty());
        let is_server = || request.extensions().get::<PostedByServer>().is_some();
        let is_allowed = !self.required || has(SEC_FETCH_SITE) || has(ORIGIN) || is_server();
        if is_allowed { Ok(()) } else { Err(problem()) }
    }
}

/// Returns whether a browser calls the request its page's own or its user's or, where it does not say,
/// whether the page's origin is on the requested host. A program sends neither header.
fn is_same_site(request: &Request, origin: Option<&HeaderValue>) -> bool {
    let headers = request.headers();
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes).unwrap_or_default();
    match (site, origin) {
        (b"same-origin" | b"none", _) | (b"", None) => true,
        (b"", Some(origin)) => {
            let authority =
                request.uri().authority().map(|authority| authority.as_str().as_bytes());
            let host = authority.or_else(|| Some(headers.get(HOST)?.as_bytes()));
            host.is_some_and(|host| is_host_of(origin, host))
        }
        _ => false,
    }
}

fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ORIGIN).filter(|origin| !origin.is_empty())
}

/// Returns whether an origin is on this host. A default port makes no difference.
fn is_host_of(origin: &HeaderValue, host: &[u8]) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let (Some((scheme, authority)), Ok(host)) = (origin, str::from_utf8(host)) else {
        return false;
    };
    let name = |text| without_default_port(scheme, text).to_ascii_lowercase();
    name(authority) == name(host)
}

const fn problem() -> Problem {
    Problem::new(ProblemCode::OriginNotAllowed)
}
