//! `GET /signup` and `GET /signup/success`: the built-in pages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{Redirect, Response};
use http::Uri;

use super::super::negotiation::{Negotiated, parameter};
use super::super::pages::Pages;
use crate::page::FORM;

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
pub(in super::super) async fn form(
    State(pages): State<Arc<Pages>>,
    Extension(negotiated): Extension<Negotiated>,
    uri: Uri,
) -> Response {
    let query = |name| parameter(&uri, name);
    pages.blank(negotiated.locale, query("return_to"), query("ui_locales"))
}

/// The page after a sign-up.
#[utoipa::path(get, path = "/signup/success", tag = "page", params(("for" = Option<String>, Query, description = "The sealed greeting of a redirect")), responses((status = 200, description = "The page", content_type = "text/html", body = String)))]
pub(in super::super) async fn success(
    State(pages): State<Arc<Pages>>,
    Extension(negotiated): Extension<Negotiated>,
    uri: Uri,
) -> Response {
    pages.success(negotiated.locale, parameter(&uri, "for").as_deref())
}

/// Redirects from the root to the form, with the query.
pub(in super::super) async fn root(State(pages): State<Arc<Pages>>, uri: Uri) -> Redirect {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Redirect::temporary(&format!("{}{FORM}{query}", pages.page.settings().base_path))
}
