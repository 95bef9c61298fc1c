//! `GET /signup` and `GET /signup/success`: what browsers are shown.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use percent_encoding::percent_decode_str;

use super::super::pages;
use crate::page::Page;

/// The form. `return_to` and `ui_locales` of the address go with it.
pub(in super::super) async fn form(State(page): State<Arc<Page>>, uri: Uri) -> Response {
    let of = |name| uri.query().and_then(|query| parameter(query, name));
    pages::blank(&page, of("return_to"), of("ui_locales"))
}

/// What happens next.
pub(in super::super) async fn success(State(page): State<Arc<Page>>) -> Response {
    pages::success(&page)
}

/// The first parameter of that name that can be read.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(known, _)| *known == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
}
