//! The tenant's rate limit and outages of the tenant, as clients see them.

use std::time::Duration;

use auth0_emulator::{Fault, Gate, JournalEntry, Plan, Route};
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::app::{TestApp, TestResponse, ada, ada_with, person};
use crate::eventually::eventually;

fn rejected_by_the_tenant(app: &TestApp) -> usize {
    app.creates().iter().filter(|call| call.status == Some(429)).count()
}

#[tokio::test]
async fn a_rush_is_served_or_gets_a_retry_after() {
    let tenant = |tenant: &mut auth0_emulator::Tenant| {
        tenant.plan = Plan::Custom { burst: 10, per_second: 10.0 };
    };
    let builder = TestApp::builder().auth0(tenant).set("auth0.budget.max_wait_ms", "1000");
    let app = builder.spawn().await;
    app.until_ready().await;
    let mut responses = JoinSet::new();
    for number in 0..60 {
        let form = person(number);
        responses.spawn(TestResponse::receive(app.post().json(&form)));
        sleep(Duration::from_millis(33)).await;
    }
    let mut created = 0;
    while let Some(response) = responses.join_next().await {
        let response = response.unwrap();
        if response.status == StatusCode::CREATED {
            created += 1;
            continue;
        }
        assert_eq!(response.problem(), "upstream_busy");
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&seconds), "{seconds}");
    }
    assert_eq!(rejected_by_the_tenant(&app), 0);
    assert_eq!(app.auth0.users().len(), created);
    assert!(created >= 10, "the whole bucket: {created}");
    assert_eq!(app.metric("auth0_budget_limit").await, 10);
    assert_eq!(app.metric("auth0_budget_waiting").await, 0);
    let exhausted = u64::try_from(60 - created).unwrap();
    assert_eq!(app.metric("auth0_budget_exhausted_total").await, exhausted);
    assert!(app.metric("auth0_budget_remaining").await < 10);
}

#[tokio::test]
async fn a_request_waits_out_a_short_cooldown() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429));
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn background_lookups_go_after_later_creates() {
    let builder = TestApp::builder().set("auth0.budget.max_wait_ms", "60000");
    let app = builder.set("http.request_timeout_ms", "90000").spawn().await;
    app.learn_whether_ids_are_kept().await;
    // Before the reconciler's first round there is an attempt to look up, and the tenant has asked this
    // service to wait.
    app.auth0.fault(Route::CreateUser, Fault::answer(500).times(2));
    app.auth0.fault(Route::GetUser, Fault::answer(500));
    let hold = Fault::answer(429).header("retry-after", "8");
    app.auth0.fault(Route::CreateUser, hold);
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    let sign_up = |name: &str| {
        let form = ada_with("email", format!("{name}@example.com"));
        tokio::spawn(TestResponse::receive(app.post().json(&form)))
    };
    let first = sign_up("first");
    app.until_metric("auth0_budget_waiting", 2).await;
    assert_eq!(app.auth0.calls(Route::GetUser).len(), 1, "the reconciler's lookup waits");
    let second = sign_up("second");
    app.until_metric("auth0_budget_waiting", 3).await;
    for response in [first, second] {
        assert_eq!(response.await.unwrap().status, StatusCode::CREATED);
    }
    app.until(|app| app.auth0.calls(Route::GetUser).len() == 2).await;
    let mut calls = app.auth0.journal();
    calls.retain(|call| call.path.starts_with("/api/v2/users"));
    let routes: Vec<_> = calls[5..].iter().map(JournalEntry::route).collect();
    assert_eq!(routes, [Route::CreateUser, Route::CreateUser, Route::GetUser]);
    assert_eq!(calls[5].json()["email"], "first@example.com");
}

#[tokio::test]
async fn repeated_replays_take_no_permit_from_sign_ups() {
    let tenant = |tenant: &mut auth0_emulator::Tenant| {
        tenant.plan = Plan::Custom { burst: 10, per_second: 0.1 };
    };
    let app = TestApp::builder().auth0(tenant).spawn().await;
    app.until_ready().await;
    for _ in 0..20 {
        assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    }
    let reads = app.auth0.calls(Route::GetUser).len();
    assert!((1..=5).contains(&reads), "{reads} of a bucket of ten");
    let other = ada_with("email", "other@example.com");
    assert_eq!(app.sign_up(&other).await.status, StatusCode::CREATED);
    assert_eq!(rejected_by_the_tenant(&app), 0);
}

/// A repeated create call may use the permits that new sign-ups may not.
#[tokio::test]
async fn a_repeat_whose_token_is_rejected_stays_a_repeat() {
    let tenant = |tenant: &mut auth0_emulator::Tenant| {
        tenant.plan = Plan::Custom { burst: 10, per_second: 1.0 / 60.0 };
    };
    let builder = TestApp::builder().auth0(tenant).set("auth0.budget.reserve_percent", "50");
    let app = builder.set("auth0.budget.max_wait_ms", "100").spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500));
    let low = Fault::answer(401)
        .header("x-ratelimit-limit", "10")
        .header("x-ratelimit-remaining", "4")
        .body(r#"{"statusCode":401,"message":"Invalid token"}"#);
    app.auth0.fault(Route::CreateUser, low);
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let statuses: Vec<_> = app.creates().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [201, 500, 401, 201].map(Some));
    assert_eq!(app.metric("auth0_budget_exhausted_total").await, 0);
}

#[tokio::test]
async fn calls_fail_fast_in_an_outage_and_recover_after_it() {
    let builder = TestApp::builder().set("auth0.breaker.failures", "3");
    let app = builder.set("auth0.breaker.pause_ms", "300").spawn().await;
    app.until_ready().await;
    app.auth0.stop().await;
    for _ in 0..5 {
        let response = app.sign_up(&ada()).await;
        assert_eq!(response.problem(), "upstream_unavailable");
        assert_eq!(response.status, StatusCode::GATEWAY_TIMEOUT);
    }
    assert_eq!(app.metric("auth0_breaker_open").await, 1);
    let report = app.get_admin("/readyz").await;
    assert_eq!(report.status, StatusCode::OK);
    let checks = json!({"process": "ok", "ledger": "ok", "auth0": "failing", "clients": "ok", "settings": "ok", "clock": "ok"});
    let expected = json!({"status": "degraded", "checks": checks});
    assert_eq!(report.json(), expected);

    app.auth0.start_again().await.unwrap();
    let created = async || (app.sign_up(&ada()).await.status == StatusCode::CREATED).then_some(());
    eventually("the app recovers", created).await;
    assert_eq!(app.creates().len(), 1, "those that failed fast were not sent");
    assert_eq!(app.metric("auth0_breaker_open").await, 0);
    app.until_ready().await;
}

#[tokio::test]
async fn server_errors_open_the_breaker_and_rejections_do_not() {
    let app = TestApp::builder().set("auth0.breaker.failures", "3");
    let app = app.set("auth0.breaker.pause_ms", "60000").set("auth0.breaker.max_pause_ms", "60000");
    let app = app.spawn().await;
    app.until_ready().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(400).times(5));
    for _ in 0..5 {
        assert_eq!(app.sign_up(&ada()).await.problem(), "upstream_rejected");
    }
    // The call, the lookup and the repeat: three in a row.
    app.auth0.fault(Route::Any, Fault::answer(503).always());
    assert_eq!(app.sign_up(&ada()).await.problem(), "outcome_unknown");
    let other = ada_with("email", "other@example.com");
    let response = app.sign_up(&other).await;
    assert_eq!(response.problem(), "upstream_unavailable");
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((25..=60).contains(&seconds), "{seconds}");
    assert_eq!(app.creates().len(), 8);
}

/// Each comes back with its key every 200 ms, although a call of the plan takes as long.
#[tokio::test]
async fn clients_who_come_back_after_an_outage_are_resolved_by_two_calls_each() {
    const CLIENTS: usize = 20;
    let builder = TestApp::builder().set("auth0.breaker.failures", "1000");
    let app = builder.set("auth0.budget.max_wait_ms", "1000").spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    app.auth0.fault(Route::CreateUser, Fault::answer(503).always());
    app.auth0.fault(Route::GetUser, Fault::answer(503).always());
    let post = |nth: usize| {
        let form = ada_with("email", format!("client{nth}@example.com"));
        let key = format!("key-of-a-client-{nth:04}");
        TestResponse::receive(app.post().header("idempotency-key", key).json(&form))
    };
    let unknown = futures_util::future::join_all((0..CLIENTS).map(post)).await;
    assert!(unknown.iter().all(|response| response.problem() == "outcome_unknown"));
    app.auth0.clear_faults();
    app.auth0.clear_journal();
    app.auth0.tenant(|tenant| tenant.plan = Plan::Custom { burst: 5, per_second: 5.0 });
    let comes_back = async |nth: usize| {
        for _ in 0..100 {
            if post(nth).await.status == StatusCode::CREATED {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
        panic!("client {nth} is not resolved");
    };
    futures_util::future::join_all((0..CLIENTS).map(comes_back)).await;
    let lookups = app.auth0.calls(Route::GetUser).len();
    assert!(lookups <= CLIENTS * 3 / 2, "{lookups} lookups");
}

/// At a connection of which it is not known yet whether it keeps ids, a repeated call has to wait until
/// the earlier one has certainly ended. Until then lookups are all that a client who comes back causes.
#[tokio::test]
async fn clients_who_come_back_too_early_leave_the_limit_to_new_sign_ups() {
    const CLIENTS: usize = 20;
    let app = TestApp::builder().set("auth0.breaker.failures", "1000").spawn().await;
    let post = |name: String| {
        let form = ada_with("email", format!("{name}@example.com"));
        TestResponse::receive(
            app.post().header("idempotency-key", format!("key-of-{name:0>9}")).json(&form),
        )
    };
    let client = |nth: usize| post(format!("client{nth}"));
    app.auth0.fault(Route::CreateUser, Fault::close().always());
    // Until the first response of the tenant its limit is not known.
    assert_eq!(client(0).await.problem(), "outcome_unknown");
    let responses = futures_util::future::join_all((1..CLIENTS).map(client)).await;
    assert!(responses.iter().all(|response| response.problem() == "outcome_unknown"));
    app.auth0.clear_faults();
    app.auth0.tenant(|tenant| tenant.plan = Plan::Custom { burst: 5, per_second: 5.0 });
    // The responses to its lookups show the limit.
    assert_eq!(client(0).await.problem(), "outcome_unknown");
    app.auth0.clear_journal();
    let come_back = futures_util::future::join_all((0..CLIENTS).map(async |nth| {
        loop {
            client(nth).await;
        }
    }));
    let newcomer = async {
        app.until(|app| app.auth0.calls(Route::GetUser).len() >= 10).await;
        // It also shows that the connection keeps ids, and so ends the wait of the others.
        assert_eq!(post("newcomer".to_owned()).await.status, StatusCode::CREATED);
    };
    tokio::select! {
        _ = come_back => unreachable!("every client goes on"),
        () = newcomer => {}
    }
}

#[tokio::test]
async fn a_lookup_that_gets_429_names_the_wait_that_holds_every_call_back() {
    let app = TestApp::spawn().await;
    app.until_ready().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let gate = Gate::new();
    app.auth0.fault(Route::UsersByEmail, Fault::answer(429).behind(&gate));
    let form = ada_with("password", "Another-Password-1");
    let conflict = tokio::spawn(TestResponse::receive(app.post().json(&form)));
    gate.arrived(1).await;
    app.auth0.fault(Route::CreateUser, Fault::answer(429).header("retry-after", "30"));
    let other = app.sign_up(&ada_with("email", "other@example.com")).await;
    assert_eq!(other.problem(), "upstream_busy");
    gate.open();
    let conflict = conflict.await.unwrap();
    assert_eq!(conflict.problem(), "upstream_busy");
    let seconds: u64 = conflict.header("retry-after").unwrap().parse().unwrap();
    assert!((20..=30).contains(&seconds), "{seconds}");
}
