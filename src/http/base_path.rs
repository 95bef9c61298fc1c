//! The path of `http.public_url`, below which browsers reach the service.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use http::Uri;
use http::uri::PathAndQuery;

/// Serves a router also below this path, for a proxy that passes the path on. One that removes it
/// gets the same routes at the root.
pub fn below(base_path: &str, router: Router) -> Router {
    if base_path.is_empty() {
        return router;
    }
    let base_path: Arc<str> = base_path.into();
    let strip = move |mut request: Request| {
        if let Some(uri) = stripped(request.uri(), &base_path) {
            *request.uri_mut() = uri;
        }
        std::future::ready(request)
    };
    // The layers of a router run after its routing, so the routes are in one behind this layer.
    Router::new().fallback_service(router).layer(map_request(strip))
}

/// Returns the address below this path, if it is one.
fn stripped(uri: &Uri, base_path: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base_path)?;
    let rest = match rest.chars().next() {
        Some('/') => PathAndQuery::try_from(rest),
        // The path of the service itself, without a trailing slash.
        Some('?') | None => PathAndQuery::try_from(format!("/{rest}")),
        Some(_) => return None,
    };
    let rest = rest.ok()?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_below_the_path_are_changed() {
        for (uri, expected) in [
            ("/join/signup?sent", Some("/signup?sent")),
            ("/join/", Some("/")),
            ("http://h/join/signup", Some("http://h/signup")),
            ("/join", Some("/")),
            ("/join?ui_locales=de", Some("/?ui_locales=de")),
            ("/joined/signup", None),
            ("/signup", None),
        ] {
            let stripped = stripped(&uri.parse().unwrap(), "/join");
            assert_eq!(stripped.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
        }
    }
}
