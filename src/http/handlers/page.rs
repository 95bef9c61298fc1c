//! `GET /signup` and `GET /signup/success`: what browsers are shown.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;

use super::super::negotiation::{Negotiated, parameter};
use super::super::pages::Pages;

/// The form. `return_to` and `ui_locales` of the address go with it.
#[utoipa::path(
    get,
    path = "/signup",
    params(
        ("return_to" = Option<String>, Query, description = "Where to go on, an entry of page.return_to"),
        ("ui_locales" = Option<String>, Query, description = "Languages, the most wanted first"),
    ),
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
pub(in super::super) async fn form(
    State(pages): State<Arc<Pages>>,
    Extension(wanted): Extension<Negotiated>,
    uri: Uri,
) -> Response {
    let of = |name| parameter(&uri, name);
    pages.blank(wanted.locale, of("return_to"), of("ui_locales"))
}

/// What happens next.
#[utoipa::path(get, path = "/signup/success", responses((status = 200, description = "The page", content_type = "text/html", body = String)))]
pub(in super::super) async fn success(
    State(pages): State<Arc<Pages>>,
    Extension(wanted): Extension<Negotiated>,
) -> Response {
    pages.success(wanted.locale)
}
