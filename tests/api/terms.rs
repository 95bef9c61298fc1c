//! The terms: acceptance in forms, in the create call, in the ledger and in the policy.

use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Route};
use auth0_signup::clock::Clock;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::app::{KEY, TestApp, TestAppBuilder, TestResponse, ada, ada_with, browser, with_member};
use crate::operator::Operator;

const URL: &str = "https://www.example.com/terms";

/// A clock that advances by a second with each reading.
#[derive(Debug, Default)]
struct Hasty(std::sync::atomic::AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> Duration {
        let seconds = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Duration::from_millis(1_795_602_878_042) + Duration::from_secs(seconds)
    }
}

fn with_terms() -> TestAppBuilder {
    TestApp::builder().set("terms.version", "2026-11").set("terms.url", URL)
}

/// The raw body of the only create call without its time, and that time.
fn the_body(app: &TestApp) -> (String, String) {
    let creates = app.creates();
    assert_eq!(creates.len(), 1, "create-user calls");
    let body = String::from_utf8(creates[0].body.to_vec()).unwrap();
    let (before, rest) = body.split_once(r#""accepted_at":""#).expect("a time");
    let (at, after) = rest.split_once('"').unwrap();
    let (after, id) = after.split_once(r#","user_id":""#).unwrap();
    assert_eq!(id.len(), 26, "{body}");
    (format!(r#"{before}"accepted_at":"…"{after}"#), at.to_owned())
}

#[tokio::test]
async fn an_acceptance_is_in_the_create_call_with_version_and_time() {
    let app = with_terms().clock(Arc::new(Hasty::default())).spawn().await;
    let response = app.sign_up(&ada_with("terms", true)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let (body, at) = the_body(&app);
    assert_eq!(
        body,
        r#"{"connection":"Username-Password-Authentication","email":"ada@example.com","password":"Difference-Engine-1843","given_name":"Ada","family_name":"Lovelace","name":"Ada Lovelace","app_metadata":{"terms":{"version":"2026-11","accepted_at":"…"}}"#
    );
    let of_the_clock = at.strip_prefix("2026-11-25T").and_then(|at| at.strip_suffix(".042Z"));
    assert!(of_the_clock.is_some_and(|at| at.len() == 8), "{at}");
    assert_eq!(app.auth0.users()[0]["app_metadata"]["terms"]["version"], "2026-11");
    assert!(!response.text.contains("metadata"), "{}", response.text);
}

#[tokio::test]
async fn user_metadata_has_the_acceptance_beside_the_forms_keys() {
    let app = with_terms()
        .set("terms.target", "user_metadata")
        .set("terms.key", "legal")
        .set("user_metadata.allow", "plan, zoo")
        .spawn()
        .await;
    let forged = json!({"plan": "free", "legal": {"version": "0"}});
    let mut form = ada_with("terms", "on");
    form["user_metadata"] = forged;
    let rejected = app.sign_up(&form).await;
    assert_eq!(rejected.errors(), [("/user_metadata/legal".into(), "unknown_field".into())]);
    form["user_metadata"] = json!({"plan": "free", "zoo": "yes"});
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    let (body, _) = the_body(&app);
    let metadata = r#","user_metadata":{"plan":"free","zoo":"yes","legal":{"version":"2026-11","accepted_at":"…"}}"#;
    assert!(body.ends_with(metadata), "{body}");
    assert!(!body.contains("app_metadata"), "{body}");
}

#[tokio::test]
async fn missing_acceptance_is_reported_with_the_other_errors() {
    let app = with_terms().spawn().await;
    let error = |code: &str| ("/terms".to_owned(), code.to_owned());
    for rejected in [json!(null), json!(false), json!(""), json!("false"), json!("off")] {
        let response = app.sign_up(&ada_with("terms", rejected.clone())).await;
        assert_eq!(response.errors(), [error("terms_required")], "{rejected}");
    }
    assert_eq!(app.sign_up(&ada()).await.errors(), [error("terms_required")]);
    // From a form that was opened under earlier terms.
    let stale = app.sign_up(&ada_with("terms", "2025-01")).await;
    assert_eq!(stale.errors(), [error("terms_required")]);
    let message = &stale.json()["errors"][0]["message"];
    assert_eq!(message, "The terms have changed. Reload the page to accept the new ones.");
    let wrong = app.sign_up(&ada_with("terms", 1)).await;
    assert_eq!(wrong.errors(), [error("wrong_type")]);
    assert_eq!(wrong.json()["errors"][0]["params"]["expected"], "boolean");

    let all = json!({"email": "nope", "password": "abc", "role": "admin"});
    let response = app.sign_up(&all).await;
    let pointers: Vec<_> = response.errors().into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/email", "/password", "/password", "/terms", "/role"]);
    assert!(app.creates().is_empty());
    for (nth, accepted) in ["true", "on", "1", "yes", "2026-11"].into_iter().enumerate() {
        let form = format!(
            "email=ada{nth}%40example.com&password=Difference-Engine-1843&terms={accepted}"
        );
        let response = app.sign_up_raw("application/x-www-form-urlencoded", form).await;
        assert_eq!(response.status, StatusCode::CREATED, "{accepted}");
    }
}

#[tokio::test]
async fn optional_terms_are_recorded_only_if_accepted() {
    let app = with_terms().set("terms.required", "false").spawn().await;
    assert_eq!(app.sign_up(&ada_with("terms", false)).await.status, StatusCode::CREATED);
    assert_eq!(app.the_create().get("app_metadata"), None);
    let form = with_member(ada_with("terms", true), "email", "grace@example.com");
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    assert_eq!(app.creates()[1].json()["app_metadata"]["terms"]["version"], "2026-11");
}

#[tokio::test]
async fn without_terms_the_field_is_ignored() {
    let app = TestApp::builder().patient().spawn().await;
    app.until_ready().await;
    assert_eq!(app.sign_up(&ada_with("terms", "2026-11")).await.status, StatusCode::CREATED);
    let create = app.the_create();
    assert!(create.get("app_metadata").is_none() && create.get("user_metadata").is_none());
    assert!(!app.get("/signup").await.text.contains("name=\"terms\""));
    assert_eq!(app.get("/signup/policy").await.json()["terms"], Value::Null);
}

/// Only where ids are known to be kept is a lost call repeated at once.
async fn learn_that_ids_are_kept(app: &TestApp) {
    let before = with_member(ada_with("terms", true), "email", "before@example.com");
    assert_eq!(app.sign_up(&before).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_repeated_call_has_the_same_bytes() {
    let app = with_terms().patient().clock(Arc::new(Hasty::default())).spawn().await;
    learn_that_ids_are_kept(&app).await;
    app.auth0.fault(Route::CreateUser, Fault::close());
    let response = app.sign_up(&ada_with("terms", true)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let creates = &app.creates()[1..];
    assert_eq!(creates.len(), 2);
    assert_eq!(creates[0].body, creates[1].body);
}

#[tokio::test]
async fn a_key_after_a_restart_repeats_the_recorded_acceptance() {
    let app = with_terms().spawn().await;
    learn_that_ids_are_kept(&app).await;
    app.auth0.fault(Route::CreateUser, Fault::answer(500).always());
    let form = with_member(ada_with("terms", true), "idempotency_key", KEY);
    assert_eq!(app.sign_up(&form).await.problem(), "outcome_unknown");
    app.auth0.clear_faults();
    // Other terms apply by now.
    let app = app.restart_with(&[("terms.version", "2027-01")]).await;
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    let creates = &app.creates()[1..];
    assert!(creates.len() > 2 && creates.iter().all(|call| call.body == creates[0].body));
    let replayed = app.sign_up(&form).await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.creates().len(), creates.len() + 1);
}

#[tokio::test]
async fn the_plain_form_has_a_checkbox_that_keeps_its_state() {
    let app = with_terms().spawn().await;
    let page = app.get("/signup?ui_locales=de").await.text;
    let sentence = format!(
        r#"<span>Ich stimme den <a href="{URL}" target="_blank" rel="noopener">Nutzungsbedingungen<"#
    );
    assert!(page.contains(&sentence), "{page}");
    let the_box = r#"<input id="terms" name="terms" type="checkbox" autocomplete="off" data-signup-label="Bedingungen" value="2026-11" required>"#;
    assert!(page.contains(the_box), "{page}");

    let post = |form: Value| TestResponse::receive(browser().post(app.url("/signup")).form(&form));
    let unticked = post(ada()).await;
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY);
    for shown in [
        r##"<li><a href="#terms">Terms</a>: Accept the terms to continue.</li>"##,
        r#"<p class="field-error" id="terms-error" data-signup-error="terms"><span>Accept the terms to continue.</span>"#,
        r#"value="2026-11" required aria-invalid="true" aria-describedby="terms-error">"#,
    ] {
        assert!(unticked.text.contains(shown), "{shown} in {}", unticked.text);
    }
    let faulty = with_member(ada_with("terms", "2026-11"), "email", "nope");
    let ticked = post(faulty).await.text;
    let kept = r#"data-signup-label="Terms" value="2026-11" checked required>"#;
    assert!(ticked.contains(kept) && !ticked.contains("Accept the terms"), "{ticked}");
    let stale = post(ada_with("terms", "2025-01")).await.text;
    let unaccepted = r#"value="2026-11" required aria-invalid="true""#;
    // It does have the new terms, so it asks for no reload.
    let message = "<span>The terms have changed. Accept the new ones to continue.</span>";
    assert!(stale.contains(unaccepted) && stale.contains(message), "{stale}");
    assert_eq!(post(ada_with("terms", "true")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.the_create()["app_metadata"]["terms"]["version"], "2026-11");
}

#[tokio::test]
async fn the_policy_has_the_terms() {
    let app = with_terms().spawn().await;
    let policy = app.get("/signup/policy").await.json();
    assert_eq!(policy["terms"], json!({"version": "2026-11", "url": URL, "required": true}));
}

#[tokio::test]
async fn lock_sends_acceptance_in_a_root_field() {
    let app = with_terms().spawn().await;
    let sign_up = |body: Value| {
        let post = app.client.post(app.url("/dbconnections/signup"));
        TestResponse::receive(post.header(CONTENT_TYPE, "application/json").body(body.to_string()))
    };
    let unticked = sign_up(ada_with("terms", "false")).await;
    assert_eq!(unticked.status, StatusCode::BAD_REQUEST);
    assert_eq!(unticked.json()["code"], "hook_error");
    assert_eq!(unticked.json()["description"], "Terms: Accept the terms to continue.");
    assert!(app.creates().is_empty());
    assert_eq!(sign_up(ada_with("terms", "true")).await.status, StatusCode::OK);
    assert_eq!(app.the_create()["app_metadata"]["terms"]["version"], "2026-11");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_accepted_version() {
    let settings = [("SIGNUP__TERMS__VERSION", "2026-11"), ("SIGNUP__TERMS__URL", URL)];
    let operator = Operator::start_with(&settings).await;
    operator.sign_up(&ada_with("terms", true)).await;
    let rows = operator.run(&["attempts", "list", "--json"], "").rows();
    assert_eq!(rows[0]["terms_version"], "2026-11");
    let shown = operator.run(&["attempts", "show", rows[0]["id"].as_str().unwrap()], "").with(0);
    assert!(shown.contains("\nterms              2026-11\n"), "{shown}");
}
