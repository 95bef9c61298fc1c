//! How a request is to be answered, decided once from its head: in which shape, in which language.

use axum::extract::Request;
use http::header::{ACCEPT_LANGUAGE, REFERER};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::auth0_compat;
use super::representation::Representation;
use crate::texts::Locale;

/// In the extensions of every request.
#[derive(Debug, Clone)]
pub(super) struct Negotiated {
    /// The shape of the answer.
    pub(super) representation: Representation,
    /// The language of its texts.
    pub(super) locale: Locale,
    /// Where a browser comes from that is to be shown a page.
    pub(super) referrer: Option<HeaderValue>,
}

impl Negotiated {
    /// What this request asks for. A form may name other languages, in its field `ui_locales`.
    pub(super) fn of(request: &Request, default: Locale) -> Self {
        let headers = request.headers();
        let of_query = || Locale::from_tags(&parameter(request.uri(), "ui_locales")?);
        let of_header =
            || Locale::from_accept_language(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        let representation = match request.uri().path() {
            auth0_compat::SIGN_UP | auth0_compat::CHALLENGE => Representation::Auth0,
            _ => Representation::of(headers),
        };
        let referrer = match representation {
            Representation::Page => headers.get(REFERER).cloned(),
            Representation::Json | Representation::Auth0 => None,
        };
        let locale = of_query().or_else(of_header).unwrap_or(default);
        Self { representation, locale, referrer }
    }
}

/// The first parameter of that name that can be read.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
}
