//! The origins whose pages may post, and may read the responses.

use reqwest::header::{CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::app::{TestApp, TestResponse, ada};

const ALLOWED: &str = "https://www.example.com";

async fn app() -> TestApp {
    TestApp::builder().set("http.allowed_origins", ALLOWED).spawn().await
}

/// Asks whether a page may post with these headers.
async fn preflight(app: &TestApp, headers: &str) -> TestResponse {
    let preflight = app.client.request(Method::OPTIONS, app.url("/signup"));
    let preflight = preflight.header(ORIGIN, ALLOWED);
    let preflight = preflight.header("access-control-request-method", "POST");
    TestResponse::receive(preflight.header("access-control-request-headers", headers)).await
}

fn json(app: &TestApp) -> RequestBuilder {
    app.post().header(CONTENT_TYPE, "application/json").body(ada().to_string())
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_cannot_post() {
    let app = app().await;
    for headers in [
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [("origin", "https://evil.example"), ("sec-fetch-site", "")],
        [("origin", "null"), ("sec-fetch-site", "cross-site")],
        [("origin", "null"), ("sec-fetch-site", "")],
        [("origin", "https://other.example.com"), ("sec-fetch-site", "same-site")],
    ] {
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let response =
            TestResponse::receive(json(&app).headers(headers.into_iter().collect())).await;
        assert_eq!(response.status, StatusCode::FORBIDDEN);
        assert_eq!(response.problem(), "origin_not_allowed");
        // Its page may read why, and nothing else.
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn allowed_pages_the_own_page_and_programs_can_post() {
    let own = "https://signup.example.com/";
    let host = |app: &TestApp| format!("http://{}", app.address);
    for (origin, site) in [
        (Some(ALLOWED.to_owned()), Some("cross-site")),
        (Some(ALLOWED.to_owned()), None),
        (Some("https://signup.example.com".to_owned()), None),
        (None, Some("same-origin")),
        (None, None),
    ] {
        let app = TestApp::builder().set("http.allowed_origins", ALLOWED);
        let app = app.set("http.public_url", own).spawn().await;
        let mut request = json(&app);
        if let Some(origin) = &origin {
            request = request.header("origin", origin);
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        assert_eq!(
            TestResponse::receive(request).await.status,
            StatusCode::CREATED,
            "{origin:?} {site:?}"
        );
    }
    let app = app().await;
    let request = json(&app).header("origin", host(&app));
    assert_eq!(
        TestResponse::receive(request).await.status,
        StatusCode::CREATED,
        "the host it was sent to"
    );
}

/// A name of an attacker's that resolves to this service: its page has the origin and the host that
/// it was loaded from, and its browser calls the post same-origin.
#[tokio::test]
async fn a_rebound_name_is_rejected_once_the_own_origin_is_known() {
    let own = ("http.public_url", "https://signup.example.com");
    let app = TestApp::builder().set(own.0, own.1).set("http.allowed_origins", ALLOWED);
    let app = app.spawn().await;
    for (host, origin, site, expected) in [
        ("evil.example", Some("http://evil.example"), Some("same-origin"), 403),
        ("evil.example", Some("http://evil.example"), None, 403),
        ("evil.example", Some("null"), Some("same-origin"), 403),
        ("evil.example", Some("https://signup.example.com.evil.example"), Some("same-origin"), 403),
        ("signup.example.com", Some("http://evil.example"), Some("same-origin"), 403),
        ("signup.example.com", Some("https://signup.example.com"), Some("same-origin"), 201),
        // The user hides the origin.
        ("signup.example.com", Some("null"), Some("same-origin"), 201),
        // A proxy does not pass the host on.
        ("signup.internal:8080", Some("https://signup.example.com"), Some("same-origin"), 201),
        ("signup.internal:8080", Some(ALLOWED), Some("cross-site"), 201),
        // A program.
        ("signup.internal:8080", None, None, 201),
    ] {
        let mut request = json(&app).header("host", host);
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = TestResponse::receive(request).await;
        assert_eq!(response.status.as_u16(), expected, "{host} {origin:?} {site:?}");
    }
}

#[tokio::test]
async fn an_origin_can_be_required() {
    let app = TestApp::builder().set("http.require_origin", "true").spawn().await;
    assert_eq!(app.sign_up(&ada()).await.problem(), "origin_not_allowed");
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn the_origin_is_checked_before_the_body() {
    let app = app().await;
    let request = app.post().header("origin", "https://evil.example").body("x".repeat(70_000));
    assert_eq!(TestResponse::receive(request).await.problem(), "origin_not_allowed");
}

#[tokio::test]
async fn a_form_cannot_pass_as_json() {
    let app = app().await;
    for kind in ["text/plain", "text/plain;application/json", "application/json, text/plain"] {
        let request = app.post().header(CONTENT_TYPE, kind).body(ada().to_string());
        assert_eq!(
            TestResponse::receive(request).await.problem(),
            "unsupported_media_type",
            "{kind}"
        );
    }
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn an_allowed_page_can_read_rejections() {
    let builder = TestApp::builder().set("http.allowed_origins", ALLOWED);
    let app = builder.set("http.body_timeout_ms", "100").spawn().await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let of = |kind| app.post().header(CONTENT_TYPE, kind).header("origin", ALLOWED);
    for (request, code) in [
        (of("application/json").body("{}"), "invalid_fields"),
        (of("application/json").body("x".repeat(70_000)), "body_too_large"),
        (of("application/json").body(reqwest::Body::wrap_stream(never)), "request_timeout"),
        (of("text/plain"), "unsupported_media_type"),
        (app.client.get(app.url("/none")).header("origin", ALLOWED), "not_found"),
        (app.client.put(app.url("/signup")).header("origin", ALLOWED), "method_not_allowed"),
        (of("application/json").header("x", "y".repeat(40_000)), "headers_too_large"),
    ] {
        let response = TestResponse::receive(request).await;
        assert_eq!(response.problem(), code);
        assert_eq!(response.header("access-control-allow-origin"), Some(ALLOWED), "{code}");
        let exposed = response.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"), "{exposed}");
    }
}

#[tokio::test]
async fn previews_apps_and_equal_ports_can_post() {
    let allowed = "https://*.preview.example.com, capacitor://localhost";
    let app = TestApp::builder().set("http.allowed_origins", allowed).spawn().await;
    let posts = async |host: &str, origin: &str, site: &str| {
        let request = json(&app).header("host", host).header("origin", origin);
        TestResponse::receive(request.header("sec-fetch-site", site)).await
    };
    for (origin, expected) in [
        ("https://pr-12.preview.example.com", 201),
        ("capacitor://localhost", 201),
        ("https://preview.example.com", 403),
        ("https://a.b.preview.example.com", 403),
        ("https://a.preview.example.com.evil.example", 403),
        ("http://pr-12.preview.example.com", 403),
        ("ionic://localhost", 403),
    ] {
        let response = posts("x", origin, "cross-site").await;
        assert_eq!(response.status.as_u16(), expected, "{origin}");
        let readable = response.header("access-control-allow-origin");
        assert_eq!(readable, Some(if expected == 201 { origin } else { "*" }));
    }
    for (host, origin, expected) in [
        ("x.example:443", "https://x.example", 201),
        ("x.example", "https://x.example:443", 201),
        ("X.example:80", "http://x.example", 201),
        ("x.example:80", "https://x.example", 403),
        ("x.example:8443", "https://x.example", 403),
    ] {
        let response = posts(host, origin, "").await;
        assert_eq!(response.status.as_u16(), expected, "{host} {origin}");
    }
}

#[tokio::test]
async fn only_listed_origins_may_read_responses() {
    let app = app().await;
    for (from, allowed) in [
        (ALLOWED, Some(ALLOWED)),
        // The rejection of a foreign page, which its console can then show.
        ("https://example.com", Some("*")),
        ("https://www.example.com.evil.example", Some("*")),
        ("http://www.example.com", Some("*")),
        ("null", Some("*")),
    ] {
        let response = TestResponse::receive(app.post().header(ORIGIN, from).json(&ada())).await;
        assert_eq!(response.header("access-control-allow-origin"), allowed, "{from}");
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
    assert_eq!(app.creates().len(), 1);
    let foreign = app.client.get(app.url("/nope")).header(ORIGIN, "https://example.com");
    let foreign = TestResponse::receive(foreign).await;
    assert_eq!(foreign.header("access-control-allow-origin"), None, "nothing but the rejection");
    let rejected = app.client.put(app.url("/signup")).header(ORIGIN, ALLOWED);
    let rejected = TestResponse::receive(rejected).await;
    assert_eq!(rejected.header("access-control-allow-origin"), Some(ALLOWED), "rejections too");
    assert_eq!(
        rejected.header("access-control-expose-headers"),
        Some("retry-after,x-request-id,idempotency-replayed,ratelimit,ratelimit-policy")
    );
}

#[tokio::test]
async fn a_preflight_names_what_a_page_may_send() {
    let app = app().await;
    let response = preflight(&app, "content-type").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("access-control-allow-origin"), Some(ALLOWED));
    assert_eq!(response.header("access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(
        response.header("access-control-allow-headers"),
        Some(
            "content-type,idempotency-key,auth0-client,traceparent,tracestate,baggage,sentry-trace,\
             x-requested-with"
        )
    );
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_preflight_allows_what_monitoring_adds_and_what_the_operator_lists() {
    let app = TestApp::builder().set("http.allowed_origins", ALLOWED);
    let app = app.set("http.allowed_headers", "X-Datadog-Trace-Id, x-own").spawn().await;
    let response = preflight(&app, "content-type,traceparent").await;
    assert_eq!(response.header("access-control-allow-origin"), Some(ALLOWED));
    let allowed = response.header("access-control-allow-headers").unwrap();
    let allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
    for name in [
        "content-type",
        "idempotency-key",
        "auth0-client",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
        "x-requested-with",
        "x-datadog-trace-id",
        "x-own",
    ] {
        assert!(allowed.contains(&name), "{name} in {allowed:?}");
    }
    assert!(!allowed.contains(&"authorization") && !allowed.contains(&"*"));
}

#[tokio::test]
async fn an_options_request_without_preflight_headers_reaches_the_router() {
    let app = app().await;
    for (path, problem) in [("/signup", "method_not_allowed"), ("/nothing", "not_found")] {
        let plain = app.client.request(Method::OPTIONS, app.url(path));
        let with_origin = app.client.request(Method::OPTIONS, app.url(path));
        let with_origin = with_origin.header(ORIGIN, ALLOWED);
        for request in [plain, with_origin] {
            assert_eq!(TestResponse::receive(request).await.problem(), problem, "{path}");
        }
    }
}
