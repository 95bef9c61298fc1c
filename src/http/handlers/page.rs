//! `GET /signup` and `GET /signup/success`: what browsers are shown.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;

use super::super::pages::Pages;
use super::super::wanted::{Wanted, parameter};

/// The form. `return_to` and `ui_locales` of the address go with it.
pub(in super::super) async fn form(
    State(pages): State<Arc<Pages>>,
    Extension(wanted): Extension<Wanted>,
    uri: Uri,
) -> Response {
    let of = |name| parameter(&uri, name);
    pages.blank(wanted.locale, of("return_to"), of("ui_locales"))
}

/// What happens next.
pub(in super::super) async fn success(
    State(pages): State<Arc<Pages>>,
    Extension(wanted): Extension<Wanted>,
) -> Response {
    pages.success(wanted.locale)
}
