//! Content negotiation, done once from a request's head: the response's shape and language.

use axum::extract::Request;
use axum::response::Response;
use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, REFERER, VARY};
use http::{HeaderValue, Uri};
use url::form_urlencoded;

use super::paths::{AUTH0_CHALLENGE, AUTH0_SIGN_UP};
use super::representation::Representation;
use crate::texts::Locale;

/// The negotiated response. In the extensions of every request.
#[derive(Debug, Clone)]
pub(super) struct Negotiated {
    /// The shape of the response.
    pub(super) representation: Representation,
    /// The language of its texts.
    pub(super) locale: Locale,
    /// The page that a browser came from, if its response is a page.
    pub(super) referrer: Option<HeaderValue>,
}

impl Negotiated {
    /// Negotiates by a request's path, query and headers. A form may name other languages in its
    /// field `ui_locales`.
    pub(super) fn new(request: &Request, default: Locale) -> Self {
        let headers = request.headers();
        let from_query = || Locale::from_tags(&parameter(request.uri(), "ui_locales")?);
        let from_header =
            || Locale::from_accept_language(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        let representation = match request.uri().path() {
            AUTH0_SIGN_UP | AUTH0_CHALLENGE => Representation::Auth0,
            _ => Representation::from_accept(headers),
        };
        let referrer = match representation {
            Representation::Page => headers.get(REFERER).cloned(),
            Representation::Json | Representation::Auth0 => None,
        };
        let locale = from_query().or_else(from_header).unwrap_or(default);
        Self { representation, locale, referrer }
    }
}

/// The first query parameter of that name.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Sets the response's language, and the request headers that it varies by.
pub(super) fn set_language(response: &mut Response, locale: Locale) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(locale.tag()));
    headers.append(VARY, HeaderValue::from_static("accept, accept-language"));
}
