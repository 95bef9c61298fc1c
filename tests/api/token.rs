//! The Management API token: one fetch for any number of sign-ups, and the behaviour when the
//! tenant rejects it or grants none.

use std::time::{Duration, UNIX_EPOCH};

use auth0_emulator::{ClientQuota, Emulator, Fault, Route};
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{TestApp, TestResponse, person};
use crate::eventually::eventually;
use crate::process::Process;

/// Sends these sign-ups at once. Returns how many were created.
async fn sign_up_many(app: &TestApp, people: std::ops::Range<usize>) -> usize {
    let requests = people.map(|nth| app.post().json(&person(nth)).send());
    let responses = futures_util::future::join_all(requests).await;
    responses.into_iter().filter(|a| a.as_ref().unwrap().status() == StatusCode::CREATED).count()
}

#[tokio::test]
async fn one_token_serves_any_number_of_sign_ups() {
    let app = TestApp::builder().patient().spawn().await;
    app.auth0.fault(Route::Token, Fault::delay(Duration::from_millis(200)));
    assert_eq!(sign_up_many(&app, 0..100).await, 100);
    assert_eq!(app.token_requests(), 1);
    assert_eq!(app.creates().len(), 100);
}

#[tokio::test]
async fn the_token_request_is_a_form_with_the_secret_in_the_body() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let request = &app.auth0.calls(Route::Token)[0];
    let audience = app.auth0.audience();
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("authorization"), None);
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo-client"),
        ("client_secret", "demo-secret"),
        ("audience", audience.as_str()),
    ];
    assert_eq!(request.form(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[tokio::test]
async fn a_rejected_token_is_fetched_again_once_and_the_call_repeated_once() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);
    app.auth0.revoke_tokens();
    assert_eq!(sign_up_many(&app, 1..51).await, 50);
    assert_eq!(app.token_requests(), 2, "one for all that were rejected together");
    let rejected = app.creates().iter().filter(|call| call.status == Some(401)).count();
    assert_eq!(app.creates().len(), 51 + rejected);
    assert!((1..=50).contains(&rejected), "{rejected}");
}

#[tokio::test]
async fn rejected_fresh_tokens_do_not_cost_a_token_per_sign_up() {
    let app = TestApp::spawn().await;
    let fault = Fault::answer(401).body(r#"{"statusCode":401,"message":"Invalid token"}"#);
    app.auth0.fault(Route::CreateUser, fault.always());
    for nth in 0..20 {
        assert_eq!(app.sign_up(&person(nth)).await.problem(), "upstream_rejected");
    }
    // Without pauses these would be 20 tokens and more. The refresher's waits of 0.25, 0.5, 1 s and so
    // on allow a handful in the time that the test takes.
    assert!(app.token_requests() <= 10, "{}", app.token_requests());
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires_without_delaying_sign_ups() {
    let app = TestApp::builder().auth0(|tenant| tenant.token_lifetime_s = 4).spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);
    app.until(|app| app.token_requests() >= 2).await;
    assert_eq!(sign_up_many(&app, 1..2).await, 1);
    assert!(app.creates().iter().all(|call| call.status == Some(201)));
}

#[tokio::test]
async fn while_a_refresh_fails_the_old_token_serves() {
    let app = TestApp::builder().auth0(|tenant| tenant.token_lifetime_s = 8).spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);
    app.auth0.fault(Route::Token, Fault::answer(503).always());
    app.until(|app| app.token_requests() >= 2).await;
    assert_eq!(sign_up_many(&app, 1..2).await, 1);
}

#[tokio::test]
async fn the_service_starts_while_auth0_is_down_and_recovers_by_itself() {
    let auth0 = Emulator::builder().start().await.unwrap();
    auth0.stop().await;
    let app = TestApp::builder().tenant(auth0).spawn().await;
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(app.sign_up(&person(0)).await.problem(), "upstream_unavailable");
    assert_eq!(app.get("/readyz").await.json()["status"], "degraded");
    app.auth0.start_again().await.unwrap();
    app.until_ready().await;
    assert_eq!(app.sign_up(&person(0)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_failing_token_endpoint_gets_no_request_per_sign_up() {
    let app = TestApp::spawn().await;
    let quota = r#"{"error":"too_many_requests","error_description":"Client quota exceeded"}"#;
    let limited = Fault::answer(429).header("retry-after", "3600").body(quota);
    app.auth0.fault(Route::Token, limited.always());
    for nth in 0..20 {
        let response = app.sign_up(&person(nth)).await;
        assert_eq!(response.problem(), "upstream_busy");
        let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
        assert!((3590..=3600).contains(&seconds), "{seconds}");
    }
    assert_eq!(app.token_requests(), 1);
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_used_up_token_quota_is_reported_and_waited_for() {
    let quota = ClientQuota { per_hour: Some(20), per_day: Some(1) };
    let auth0 = Emulator::builder().tenant(|t| t.token_quota = Some(quota)).start().await.unwrap();
    // Half of the tenant's day is left, whatever the time is here.
    let noon = UNIX_EPOCH.elapsed().unwrap().as_secs() % 86_400;
    auth0.advance_clock(Duration::from_secs(86_400 + 43_200 - noon));
    let app = TestApp::builder().tenant(auth0).spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);

    // A restart needs another token, and the quota of the day is used up.
    let app = app.restart().await;
    for nth in 1..11 {
        let response = app.sign_up(&person(nth)).await;
        assert_eq!(response.problem(), "upstream_busy");
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
        assert!((43_100..=43_200).contains(&seconds), "{seconds}");
    }
    assert_eq!(app.get_admin("/readyz").await.json()["checks"]["auth0"], "failing");
    assert_eq!((app.token_requests(), app.creates().len()), (2, 1));

    // The operator raises the quota: a new start requests a token at once.
    app.auth0.tenant(|tenant| tenant.token_quota = None);
    let app = app.restart().await;
    assert_eq!(sign_up_many(&app, 11..12).await, 1);
}

#[tokio::test]
async fn rejected_credentials_are_an_error_of_the_operator() {
    let rejections = [
        (401, r#"{"error":"access_denied","error_description":"Unauthorized"}"#),
        (403, r#"{"error":"access_denied","error_description":"Service not enabled"}"#),
        (403, r#"{"error":"unauthorized_client"}"#),
    ];
    for (status, body) in rejections {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::Token, Fault::answer(status).body(body).always());
        let response = app.sign_up(&person(0)).await;
        assert_eq!(response.problem(), "upstream_rejected", "{status} {body}");
        assert_eq!(response.status, StatusCode::BAD_GATEWAY);
        assert!(app.creates().is_empty());
    }
}

#[tokio::test]
async fn a_moment_of_the_network_in_front_of_the_token_endpoint_fails_no_sign_up() {
    let asks_for_a_password = Fault::html(401).header("www-authenticate", "Basic realm=\"proxy\"");
    let faults = [
        Fault::answer(408),
        Fault::answer(425),
        Fault::answer(500),
        Fault::html(200),
        asks_for_a_password,
        Fault::html(403),
        Fault::html(404),
    ];
    // Each takes some seconds.
    let seen = faults.map(async |fault| {
        let auth0 = Emulator::builder().start().await.unwrap();
        auth0.fault(Route::Token, fault.times(3));
        let app = TestApp::builder().tenant(auth0).spawn().await;
        let response = app.sign_up(&person(0)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        assert_eq!(app.token_requests(), 4);
        let failed = r#"auth0_requests_total{operation="token",outcome="failed"}"#;
        assert_eq!(app.metric(failed).await, 3);
    });
    futures_util::future::join_all(seen).await;
}

#[tokio::test]
async fn a_host_that_is_not_the_tenants_is_an_error_of_the_operator() {
    let unknown_path = r#"{"statusCode":404,"error":"Not Found","message":"Not Found"}"#;
    let hosts = [
        (200, Fault::html(200)),
        (200, Fault::answer(200).body(r#"{"status":"ok"}"#)),
        (200, Fault::answer(200).body(r#"{"access_token":"","expires_in":86400}"#)),
        (204, Fault::answer(204)),
        (400, Fault::html(400)),
        (401, Fault::html(401).header("www-authenticate", "Basic realm=\"proxy\"")),
        (403, Fault::html(403)),
        (404, Fault::answer(404).body(unknown_path)),
        (405, Fault::answer(405)),
    ];
    // Each takes some seconds.
    let seen = hosts.map(async |(status, fault)| {
        let auth0 = Emulator::builder().start().await.unwrap();
        auth0.fault(Route::Token, fault.always());
        let service = Process::start(&auth0, &[]).await;
        let rejected = async || {
            let response = TestResponse::receive(service.post(&person(0))).await;
            (response.status == StatusCode::BAD_GATEWAY).then_some(response)
        };
        let response = eventually("the operator has to act", rejected).await;
        assert_eq!(response.problem(), "upstream_rejected", "{status}: {response:?}");
        let reason = format!(
            "a response with status {status} that is not Auth0's: is auth0.domain the tenant's, or \
             does a proxy respond in its place?"
        );
        let of_sign_up = service.event(|event| event["outcome"] == "upstream_rejected").await;
        let of_token = service.event(|event| event["level"] == "ERROR").await;
        for event in [of_sign_up, of_token] {
            assert_eq!([&event["level"], &event["error"]], ["ERROR", &*reason]);
        }
        assert!(auth0.calls(Route::CreateUser).is_empty());

        // It goes on trying, whatever the reason was.
        auth0.clear_faults();
        // Its pause may have grown to seconds; sign-ups meanwhile would meet their limits.
        let recovered = async || {
            let checks = &service.readiness().await["checks"];
            (checks["auth0"] == "ok").then_some(())
        };
        eventually("the tenant responds", recovered).await;
        let response = TestResponse::receive(service.post(&person(0))).await;
        assert_eq!(response.status, StatusCode::CREATED, "{status}: {response:?}");
    });
    futures_util::future::join_all(seen).await;
}

#[tokio::test]
async fn a_token_revoked_before_its_first_use_fails_no_sign_up() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    app.auth0.revoke_tokens();
    assert_eq!(app.sign_up(&person(0)).await.status, StatusCode::CREATED);
    assert_eq!(app.token_requests(), 2);
}

#[tokio::test]
async fn a_rejected_token_has_no_expiry_in_the_metrics() {
    const EXPIRES: &str = "auth0_token_expires_timestamp_seconds";
    let app = TestApp::spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);
    assert!(app.metric(EXPIRES).await > UNIX_EPOCH.elapsed().unwrap().as_secs());
    let limited = Fault::answer(429).header("retry-after", "3600");
    app.auth0.fault(Route::Token, limited.always());
    app.auth0.revoke_tokens();
    assert_eq!(app.sign_up(&person(1)).await.problem(), "upstream_busy");
    assert_eq!(app.metric(EXPIRES).await, 0);
}

/// A rotation revokes the token in use and the one that was fetched a moment before.
#[tokio::test]
async fn two_tokens_revoked_together_fail_no_sign_up() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up_many(&app, 0..1).await, 1);
    let fault = Fault::answer(401).body(r#"{"statusCode":401,"message":"Invalid token"}"#);
    app.auth0.fault(Route::CreateUser, fault.times(2));
    assert_eq!(sign_up_many(&app, 1..2).await, 1);
    assert_eq!(app.token_requests(), 3);
}

/// RFC 6749, section 5.1: a lifetime is recommended. Some gateways write numbers as texts.
#[tokio::test]
async fn a_token_with_an_unusual_lifetime_is_used() {
    for lifetime in
        [r#","expires_in":"86400""#, r#","expires_in":86400.5"#, r#","expires_in":null"#, ""]
    {
        let app = TestApp::spawn().await;
        let body = format!(r#"{{"access_token":"x","token_type":"bearer"{lifetime}}}"#);
        app.auth0.fault(Route::Token, Fault::answer(200).body(body).always());
        let user = json!({"user_id": "auth0|1", "email": person(0)["email"]});
        app.auth0.fault(Route::CreateUser, Fault::answer(201).body(user.to_string()));
        assert_eq!(app.sign_up(&person(0)).await.status, StatusCode::CREATED, "{lifetime}");
        assert_eq!(app.token_requests(), 1, "{lifetime}");
        assert_eq!(app.creates()[0].header("authorization"), Some("Bearer x"));
    }
}

/// RFC 9110, section 11.6.1: a 401 names the schemes that it accepts.
#[tokio::test]
async fn a_401_of_a_proxy_costs_no_token() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    let fault = Fault::html(401).header("www-authenticate", "Basic realm=\"proxy\"");
    app.auth0.fault(Route::CreateUser, fault);
    assert_eq!(app.sign_up(&person(0)).await.problem(), "upstream_rejected");
    assert_eq!(app.sign_up(&person(0)).await.status, StatusCode::CREATED);
    assert_eq!((app.creates().len(), app.token_requests()), (2, 1));
}

#[tokio::test]
async fn absurd_numbers_from_the_token_endpoint_break_nothing() {
    let absurd = u64::MAX.to_string();
    let grant = |expires_in: &str| {
        let body =
            format!(r#"{{"access_token":"x","token_type":"Bearer","expires_in":{expires_in}}}"#);
        Fault::answer(200).body(body)
    };
    for fault in [
        grant(&absurd),
        grant("0"),
        grant("-1"),
        Fault::answer(200).body("<html>"),
        Fault::truncated(),
    ] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::Token, fault.clone());
        app.until(|app| app.token_requests() == 1).await;
        app.until_created(0).await;
        assert!(app.token_requests() <= 3, "{fault:?}: {}", app.token_requests());
    }
    for header in ["retry-after", "x-ratelimit-reset"] {
        let app = TestApp::spawn().await;
        app.auth0.fault(Route::Token, Fault::answer(429).header(header, &absurd).always());
        let response = app.sign_up(&person(0)).await;
        assert_eq!(response.problem(), "upstream_busy", "{header}");
        assert_eq!(app.get("/readyz").await.json()["status"], "degraded");
    }
}
