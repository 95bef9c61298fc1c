//! The limits as clients meet them: when permits are spent, and what a response reports.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::app::{TestApp, TestAppBuilder, TestResponse, ada, ada_with, person, with_member};
use crate::challenges::proof;
use crate::server::database;

/// [`ada`] with another password, so that it is another attempt.
fn ada_again(number: usize) -> Value {
    ada_with("password", format!("Difference-Engine-{number}"))
}

/// A limit with this burst, whose permits return only after three minutes.
fn limited(limit: &str, burst: u32) -> TestAppBuilder {
    TestApp::builder()
        .set(&format!("limits.{limit}.burst"), &burst.to_string())
        .set(&format!("limits.{limit}.per_hour"), "20")
}

async fn decisions(app: &TestApp, limit: &str, outcome: &str) -> u64 {
    let labels = format!("{{limit=\"{limit}\",outcome=\"{outcome}\"}}");
    app.metric(&format!("limiter_decisions_total{labels}")).await
}

/// Posts from another address of this machine.
async fn from(app: &TestApp, last: u8, form: &Value) -> TestResponse {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    let client = Client::builder().no_proxy().local_address(address).build().unwrap();
    TestResponse::receive(client.post(app.url("/signup")).json(form)).await
}

fn number(response: &TestResponse, name: &str) -> u64 {
    response.header(name).unwrap_or_else(|| panic!("{name} in {response:?}")).parse().unwrap()
}

#[tokio::test]
async fn an_address_learns_its_remaining_attempts_and_waits_when_it_has_none() {
    let app = limited("address", 3).spawn().await;
    for n in 0..3 {
        let response = app.sign_up(&person(n)).await;
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.header("ratelimit-policy"), Some("\"attempts\";q=3;w=540"));
        let state = response.header("ratelimit").unwrap();
        assert!(state.starts_with(&format!("\"attempts\";r={};t=", 2 - n)), "{state}");
    }
    let response = app.sign_up(&person(3)).await;
    assert_eq!(
        (response.status, response.problem().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
    let wait = number(&response, "retry-after");
    assert!((1..=180).contains(&wait), "{wait}");
    assert_eq!(response.json()["retry_after"], wait);
    let state = format!("\"attempts\";r=0;t={wait}");
    assert_eq!(response.header("ratelimit"), Some(state.as_str()));
    assert_eq!(response.json()["challenge"], "/signup/challenge");
    assert_eq!(app.creates().len(), 3);
    // Another address is not affected.
    assert_eq!(from(&app, 2, &person(4)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn every_post_spends_a_permit_before_it_is_read() {
    let app = limited("posts", 3).spawn().await;
    assert_eq!(app.sign_up_raw("application/json", "{").await.problem(), "malformed_body");
    assert_eq!(app.sign_up_raw("text/plain", "x").await.problem(), "unsupported_media_type");
    let nowhere = app.client.post(app.url("/nowhere"));
    assert_eq!(TestResponse::receive(nowhere).await.problem(), "not_found");

    // Neither read nor parsed: the response does not report its errors.
    let rejected = app.sign_up_raw("text/plain", vec![b'x'; 100_000]).await;
    assert_eq!(rejected.problem(), "rate_limited");
    assert_eq!(rejected.header("ratelimit-policy"), Some("\"posts\";q=3;w=540"));
    let wait = number(&rejected, "retry-after");
    let state = format!("\"posts\";r=0;t={wait}");
    assert_eq!(rejected.header("ratelimit"), Some(state.as_str()));
    assert_eq!(rejected.json().get("challenge"), None, "a proof does not lift this limit");
    assert_eq!(app.sign_up(&ada()).await.problem(), "rate_limited");

    // Other methods spend no permit and are never rejected.
    for method in [Method::GET, Method::OPTIONS, Method::HEAD, Method::PUT] {
        let response = TestResponse::receive(app.client.request(method, app.url("/signup"))).await;
        assert_ne!(response.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.header("ratelimit"), None);
    }
    assert_eq!(decisions(&app, "posts", "rejected").await, 2);
    assert_eq!(decisions(&app, "address", "allowed").await, 0);
}

#[tokio::test]
async fn a_block_has_32_times_the_posts_of_an_address() {
    let app = limited("posts", 1).set("http.trusted_proxies", "127.0.0.1").spawn().await;
    let post = async |from: String| app.sign_up_from(&from, &Value::Null).await;
    let blocks: [fn(usize) -> String; 2] =
        [|n| format!("192.0.2.{n}"), |n| format!("2001:db8:{n:x}::1")];
    for address in blocks {
        let mut problems = Vec::new();
        for n in 0..40 {
            let response = post(address(n)).await;
            // The others' activity is not reported.
            assert_eq!(response.header("ratelimit").is_some(), n < 32, "{response:?}");
            problems.push(response.problem());
        }
        let (admitted, rejected) = problems.split_at(32);
        assert!(admitted.iter().all(|problem| problem == "malformed_body"), "{problems:?}");
        assert!(rejected.iter().all(|problem| problem == "rate_limited"), "{problems:?}");
    }
    assert_eq!(post("198.51.100.1".to_owned()).await.problem(), "malformed_body");
}

#[tokio::test]
async fn a_foreign_page_spends_no_permit_of_its_visitors() {
    let app = limited("posts", 1).spawn().await;
    for _ in 0..5 {
        let foreign = app.post().header("origin", "https://foreign.example").json(&());
        assert_eq!(TestResponse::receive(foreign).await.problem(), "origin_not_allowed");
    }
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_next_permit_comes_after_a_whole_interval() {
    let app = TestApp::builder()
        .set("limits.address.burst", "50")
        .set("limits.address.per_hour", "60")
        .spawn()
        .await;
    let response = app.sign_up(&ada()).await;
    assert_eq!(response.header("ratelimit"), Some("\"attempts\";r=49;t=60"));
    // Half a second, rounded up.
    let rejected = app.sign_up_raw("application/json", "{").await;
    let state = rejected.header("ratelimit").unwrap();
    assert!(state.starts_with("\"posts\";r=") && state.ends_with(";t=1"), "{state}");
}

#[tokio::test]
async fn every_form_of_an_ipv4_address_counts_as_that_address() {
    let app = limited("address", 5).set("http.trusted_proxies", "127.0.0.1").spawn().await;
    let forms = [
        "192.0.2.7",
        "::ffff:192.0.2.7",
        "64:ff9b::192.0.2.7",
        "64:ff9b::c000:207",
        "2002:c000:207:9::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdf8",
    ];
    for (nth, form) in forms.into_iter().enumerate() {
        let response = app.sign_up_from(form, &person(nth)).await;
        let expected = if nth < 5 { StatusCode::CREATED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(response.status, expected, "{form}");
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_can_read_the_rejection() {
    let origin = "https://www.example.com";
    let app = limited("posts", 1).set("http.allowed_origins", origin).spawn().await;
    let post = || app.post().header("origin", origin).json(&ada());
    drop(TestResponse::receive(post()).await);
    let rejected = TestResponse::receive(post()).await;
    assert_eq!(rejected.problem(), "rate_limited");
    assert_eq!(rejected.header("access-control-allow-origin"), Some(origin));
    let exposed = rejected.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("ratelimit-policy") && exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn a_form_with_errors_spends_no_attempt() {
    let app = limited("address", 1).spawn().await;
    for _ in 0..3 {
        let response = app.sign_up(&ada_with("password", "short")).await;
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(response.header("ratelimit").unwrap().starts_with("\"posts\""));
    }
    assert_eq!(decisions(&app, "address", "allowed").await, 0);
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(decisions(&app, "address", "allowed").await, 1);
}

#[tokio::test]
async fn a_repeated_sign_up_spends_no_attempt() {
    let app = limited("address", 1).spawn().await;
    for replayed in [None, Some("true"), Some("true")] {
        let response = app.sign_up_with_key("a-key-of-16-chars", &ada()).await;
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.header("idempotency-replayed"), replayed);
    }
    assert_eq!(decisions(&app, "address", "allowed").await, 1);
    assert_eq!(app.sign_up(&person(1)).await.problem(), "rate_limited");
}

#[tokio::test]
async fn a_limited_sign_up_frees_its_key() {
    let app = limited("email", 1)
        .set("challenge.work.cost", "1000")
        .set("challenge.work.tries", "2")
        .spawn()
        .await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let mut form = ada_again(1);
    let response = app.sign_up_with_key("a-key-of-16-chars", &form).await;
    assert_eq!(response.problem(), "rate_limited");
    form["altcha"] = proof(&app).await.into();
    let response = app.sign_up_with_key("a-key-of-16-chars", &form).await;
    assert_eq!(response.problem(), "email_taken");
    assert_eq!(response.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn an_e_mail_address_has_a_limit_over_all_clients_whose_state_is_not_reported() {
    let app = limited("email", 2).spawn().await;
    assert_eq!(from(&app, 2, &ada_again(0)).await.status, StatusCode::CREATED);
    let tagged = ada_with("email", "ADA+tag@example.com");
    assert_eq!(from(&app, 3, &tagged).await.status, StatusCode::CREATED);
    let rejected = from(&app, 4, &ada_again(2)).await;
    assert_eq!(rejected.problem(), "rate_limited");
    assert!(number(&rejected, "retry-after") > 0);
    assert_eq!(rejected.json()["challenge"], "/signup/challenge");
    assert_eq!((rejected.header("ratelimit"), rejected.header("ratelimit-policy")), (None, None));
    assert_eq!(from(&app, 4, &person(1)).await.status, StatusCode::CREATED);
    assert_eq!(decisions(&app, "email", "rejected").await, 1);
    assert_eq!(app.creates().len(), 3);
}

#[tokio::test]
async fn all_clients_together_have_a_limit() {
    let app = limited("service", 2).spawn().await;
    for n in 2..4 {
        assert_eq!(from(&app, n, &person(n.into())).await.status, StatusCode::CREATED);
    }
    let rejected = from(&app, 9, &person(9)).await;
    assert_eq!(rejected.problem(), "rate_limited");
    assert_eq!(rejected.header("ratelimit"), None);
}

#[tokio::test]
async fn an_exempt_network_has_no_address_limits() {
    let app =
        limited("address", 1).set("limits.posts.burst", "1").set("limits.exempt", "127.0.0.0/24");
    let app = app.spawn().await;
    for n in 0..3 {
        let response = app.sign_up(&person(n)).await;
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.header("ratelimit"), None);
    }
    assert_eq!(decisions(&app, "address", "exempt").await, 3);
}

#[tokio::test]
async fn limits_that_are_off_are_not_reported() {
    let app = limited("address", 0).set("limits.posts.burst", "0").spawn().await;
    let response = app.sign_up(&ada()).await;
    assert_eq!((response.status, response.header("ratelimit")), (StatusCode::CREATED, None));
    assert!(!app.get_admin("/metrics").await.text.contains("limit=\"address\""));
}

#[tokio::test]
async fn a_browser_gets_its_form_back_with_the_time_to_wait() {
    let app = limited("address", 1).spawn().await;
    assert_eq!(app.sign_up(&person(1)).await.status, StatusCode::CREATED);
    let form = [("email", "ada@example.com"), ("password", "Difference-Engine-1843")];
    let response =
        TestResponse::receive(app.post().header("accept", "text/html").form(&form)).await;
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(response.header("content-type").unwrap().starts_with("text/html"));
    assert!(response.header("retry-after").is_some() && response.header("ratelimit").is_some());
    assert!(response.text.contains("ada@example.com"), "{}", response.text);
    assert!(!response.text.contains("Difference-Engine"));
}

#[tokio::test]
async fn while_sign_ups_are_closed_no_post_is_read() {
    let text = "Back on Monday at nine.";
    let app = TestApp::builder().set("signup.open", "false").set("signup.closed_text", text);
    let app = app.spawn().await;
    let malformed = app.sign_up_raw("application/json", "{").await;
    for response in [malformed, app.sign_up(&ada()).await] {
        assert_eq!(
            (response.status, response.problem().as_str()),
            (StatusCode::FORBIDDEN, "signups_closed")
        );
        assert_eq!(response.json()["detail"], text);
    }
    let page = app.post().header("accept", "text/html").header(CONTENT_TYPE, "text/plain");
    let page = TestResponse::receive(page).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains(text), "{}", page.text);
    let form = app.client.get(app.url("/signup")).header("accept", "text/html");
    let form = TestResponse::receive(form).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
    assert!(form.text.contains(text) && !form.text.contains("<form"), "{}", form.text);
    assert!(app.creates().is_empty());
    assert_eq!(app.metric("signup_closed_rejected_total").await, 3);
    assert_eq!(decisions(&app, "posts", "allowed").await, 3);
}

#[tokio::test]
async fn domains_and_tags_are_rejected_together_with_all_other_errors() {
    let app = TestApp::builder()
        .set("email.allow_domains", "example.com, bücher.example, evil.net")
        .set("email.deny_domains", "bad.example.com")
        .set("email.plus", "reject")
        .spawn()
        .await;
    let errors = async |email: &str| {
        let form = with_member(ada_with("email", email), "nickname", "x".repeat(301));
        app.sign_up(&form).await.errors()
    };
    let at = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    let nickname = || at("/nickname", "too_long");
    for email in ["a@notevil.net", "a@evil.net.example", "a@x.bad.example.com", "a@elsewhere.com"] {
        assert_eq!(
            errors(email).await,
            [at("/email", "domain_not_allowed"), nickname()],
            "{email}"
        );
    }
    assert_eq!(errors("a+b@example.com").await, [at("/email", "not_allowed"), nickname()]);
    for email in ["a@mail.example.com", "a@xn--bcher-kva.example"] {
        assert_eq!(errors(email).await, [nickname()], "{email}");
    }
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    for (outcome, count) in [("allowed", 3), ("domain_not_allowed", 4), ("not_allowed", 1)] {
        let metric = format!("signup_email_rules_total{{outcome=\"{outcome}\"}}");
        assert_eq!(app.metric(&metric).await, count, "{outcome}");
    }
}

#[tokio::test]
async fn a_solved_challenge_lifts_the_limits_up_to_a_cap() {
    let app = limited("address", 1)
        .set("limits.email.burst", "1")
        .set("limits.service.burst", "1")
        .set("limits.with_proof.burst", "2")
        .set("challenge.work.cost", "1000")
        .set("challenge.work.tries", "2")
        .spawn()
        .await;
    assert_eq!(app.sign_up(&ada_again(0)).await.status, StatusCode::CREATED);
    let with_proof = async |number| {
        let form = with_member(ada_again(number), "altcha", proof(&app).await);
        app.sign_up(&form).await
    };
    assert_eq!(app.sign_up(&ada_again(1)).await.problem(), "rate_limited");
    for number in 2..4 {
        assert_eq!(with_proof(number).await.problem(), "email_taken");
    }
    let rejected = with_proof(4).await;
    assert_eq!(rejected.problem(), "rate_limited");
    assert_eq!(rejected.json().get("challenge"), None, "another proof does not help");
    assert_eq!(decisions(&app, "address", "with_proof").await, 2);
    assert_eq!(decisions(&app, "with_proof", "rejected").await, 1);
    assert_eq!(app.creates().len(), 3);
}

#[tokio::test]
async fn an_attempt_that_needs_a_proof_spends_no_permit() {
    let app = limited("address", 1).spawn().await;
    for number in 0..3 {
        let form = with_member(person(number), "subject", "a robot fills in everything");
        assert_eq!(app.sign_up(&form).await.problem(), "challenge_required");
    }
    assert_eq!(decisions(&app, "address", "allowed").await, 0);
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn each_address_behind_a_trusted_proxy_has_a_bucket_in_bounded_memory() {
    let app = limited("posts", 1)
        .set("http.trusted_proxies", "127.0.0.1")
        .set("limits.max_buckets", "1000")
        .spawn()
        .await;
    let post = async |address: String| {
        let post = app.post().header("x-forwarded-for", address).body("{");
        TestResponse::receive(post.header(CONTENT_TYPE, "application/json")).await.status
    };
    // Each in a /24 of its own, which has a bucket too.
    for n in 0..3_000_u32 {
        let [.., high, low] = n.to_be_bytes();
        assert_eq!(post(format!("10.{high}.{low}.1")).await, StatusCode::BAD_REQUEST, "{n}");
    }
    assert_eq!(post("10.11.183.1".to_owned()).await, StatusCode::TOO_MANY_REQUESTS);
    // A forged hop to the left of the one that the proxy saw changes nothing.
    let forged = post("203.0.113.1, 10.11.183.1".to_owned()).await;
    assert_eq!(forged, StatusCode::TOO_MANY_REQUESTS);
    assert!(app.metric("limiter_entries{limit=\"posts\"}").await <= 1_000);
    assert!(app.metric("limiter_evictions_total{limit=\"posts\"}").await >= 2_000);
}

#[tokio::test]
async fn replicas_share_the_limits_on_attempts() {
    let database = database().await;
    let replica = || limited("address", 4).postgres(&database);
    let one = replica().spawn().await;
    let other = replica().set("auth0.domain", one.auth0.url()).spawn().await;
    let mut rejected = Vec::new();
    for nth in 0..8 {
        let app = if nth % 2 == 0 { &one } else { &other };
        let response = app.sign_up(&person(nth)).await;
        if response.status != StatusCode::CREATED {
            assert_eq!(response.problem(), "rate_limited");
            let wait = number(&response, "retry-after");
            assert_eq!(
                response.header("ratelimit"),
                Some(format!("\"attempts\";r=0;t={wait}").as_str())
            );
            rejected.push(nth);
        }
    }
    assert_eq!(rejected, [4, 5, 6, 7]);
    // Each replica learned it from the database once.
    for app in [&one, &other] {
        assert_eq!(decisions(app, "address", "rejected_shared").await, 1);
        assert_eq!(decisions(app, "address", "rejected").await, 1);
    }
}

/// A network each, for tags of one mailbox.
#[tokio::test]
async fn a_site_with_proofs_has_eight_times_the_attempts_for_an_e_mail_address() {
    let database = database().await;
    let replica = || {
        limited("with_proof", 1)
            .postgres(&database)
            .set("http.trusted_proxies", "127.0.0.1")
            .set("challenge.work.cost", "1000")
            .set("challenge.work.tries", "2")
    };
    let one = replica().spawn().await;
    let other = replica().set("auth0.domain", one.auth0.url()).spawn().await;
    let attempt = async |nth: usize, from: String| {
        let app = if nth.is_multiple_of(2) { &one } else { &other };
        let form = with_member(
            ada_with("email", format!("ada+{nth}@example.com")),
            "altcha",
            proof(app).await,
        );
        app.sign_up_from(&from, &form).await
    };
    let mut created = Vec::new();
    for nth in 0..14 {
        let response = attempt(nth, format!("2001:db8:7:{nth:x}::1")).await;
        if response.status == StatusCode::CREATED {
            created.push(nth);
        } else {
            assert_eq!(response.problem(), "rate_limited");
            assert_eq!(response.json().get("challenge"), None, "another proof does not help");
        }
    }
    assert_eq!(created, [0, 1, 2, 3, 4, 5, 6, 7]);
    for app in [&one, &other] {
        assert_eq!(decisions(app, "site_with_proof", "rejected_shared").await, 1);
    }
    let elsewhere = attempt(20, "2001:db8:8::1".to_owned()).await;
    assert_eq!(elsewhere.status, StatusCode::CREATED);
}
