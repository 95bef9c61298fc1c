//! `GET /signup` and `GET /signup/success`: the built-in pages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{CONTENT_SECURITY_POLICY, HOST};
use http::{HeaderMap, HeaderValue, Uri};

use crate::http::negotiation::{Negotiated, parameter};
use crate::http::pages::Pages;
use crate::page::{FORM, example as example_form};

/// The form. It keeps `return_to` and `ui_locales` from the query.
#[utoipa::path(
    get,
    path = "/signup",
    tag = "page",
    params(
        ("return_to" = Option<String>, Query, description = "Where to continue, an entry of page.return_to"),
        ("ui_locales" = Option<String>, Query, description = "Languages, in order of preference"),
    ),
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
pub(in crate::http) async fn form(
    State(pages): State<Arc<Pages>>,
    Extension(negotiated): Extension<Negotiated>,
    uri: Uri,
) -> Response {
    let query = |name| parameter(&uri, name);
    pages.blank(negotiated.locale, query("return_to"), query("ui_locales"))
}

/// The page after a sign-up.
#[utoipa::path(
    get,
    path = "/signup/success",
    tag = "page",
    params(
        ("for" = Option<String>, Query, description = "The sealed greeting of a redirect"),
        ("ui_locales" = Option<String>, Query, description = "Languages, in order of preference"),
    ),
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
pub(in crate::http) async fn success(
    State(pages): State<Arc<Pages>>,
    Extension(negotiated): Extension<Negotiated>,
    uri: Uri,
) -> Response {
    pages.success(negotiated.locale, parameter(&uri, "for").as_deref())
}

/// Redirects from the root to the form, with the query.
pub(in crate::http) async fn root(State(pages): State<Arc<Pages>>, uri: Uri) -> Redirect {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Redirect::temporary(&format!("{}{FORM}{query}", pages.page.settings().base_path))
}

/// The policy of the example, which loads what the service serves to every page.
const EXAMPLE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The example of a form of another page. Only the demo serves it.
pub(in crate::http) async fn example(headers: HeaderMap) -> impl IntoResponse {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_plain(host));
    let page = example_form::page(&format!("http://{}", host.unwrap_or("127.0.0.1:8080")));
    ([(CONTENT_SECURITY_POLICY, EXAMPLE_POLICY)], Html(page))
}

/// Returns whether text may be put into a page as it is: letters, digits and what an address has.
fn is_plain(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte))
}
