//! An attempt's identity is computed: any replica recognises the user that an attempt created, also
//! after the ledger lost every row.

use std::time::Duration;

use auth0_emulator::{Builder, Emulator, Fault, Plan, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{CONFLICT, FORBIDDEN, KEY, TestApp, TestResponse, USERNAME_TAKEN, ada, ada_with};

/// Signs Ada up, with this key if there is one.
pub(crate) async fn sign_up(app: &TestApp, key: Option<&str>) -> TestResponse {
    app.sign_up_with_key(key, &ada()).await
}

/// Removes every row, as a failover or a restored backup does.
pub(crate) fn lose_rows(app: &TestApp) {
    let ledger = app.ledger();
    ledger.execute_batch("DELETE FROM attempts; DELETE FROM attempt_keys").unwrap();
}

/// Signs somebody up with Ada's address past the service, at the tenant's own endpoint.
pub(crate) async fn sign_up_elsewhere(auth0: &Emulator) {
    let form = json!({
        "client_id": "elsewhere", "connection": "Username-Password-Authentication",
        "email": "ada@example.com", "password": "Elsewhere-Secret-1", "given_name": "Somebody",
    });
    let url = format!("{}/dbconnections/signup", auth0.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.post(url).json(&form).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Ada's form with another password that pins this id with this key, as one in 256 does.
pub(crate) async fn colliding_form(app: &TestApp, key: Option<&str>, id: &Value) -> Value {
    for number in 0..4_000 {
        app.auth0.fault(Route::CreateUser, Fault::answer(403));
        let form = ada_with("password", format!("Guess-Number-{number}"));
        assert_eq!(app.sign_up_with_key(key, &form).await.problem(), "upstream_rejected");
        if app.creates().last().unwrap().json()["user_id"] == *id {
            return form;
        }
        app.auth0.clear_journal();
    }
    panic!("no collision");
}

/// An app at a tenant where somebody signed up with Ada's address a while ago.
async fn app_with_user(builder: Builder, age: Duration) -> TestApp {
    let auth0 = builder.start().await.unwrap();
    sign_up_elsewhere(&auth0).await;
    auth0.advance_clock(age);
    TestApp::builder().tenant(auth0).spawn().await
}

#[tokio::test]
async fn a_user_is_recognised_after_every_row_was_lost() {
    for key in [Some(KEY), None] {
        let app = TestApp::spawn().await;
        let first = sign_up(&app, key).await;
        assert_eq!(first.status, StatusCode::CREATED);
        app.until_resolved().await;
        lose_rows(&app);
        let again = sign_up(&app, key).await;
        assert_eq!(again.status, StatusCode::CREATED, "{key:?}: {again:?}");
        // No row shows which form the user came from, so nothing else of it is returned.
        let user = &again.json()["user"];
        let expected =
            json!({"user_id": first.json()["user"]["user_id"], "email": "ada@example.com"});
        assert_eq!(*user, expected, "{key:?}");
        let calls = (app.creates().len(), app.auth0.calls(Route::UsersByEmail).len());
        assert_eq!(calls, (2, 1), "{key:?}");
        assert_eq!(app.auth0.users().len(), 1, "{key:?}");
    }
}

#[tokio::test]
async fn a_rejection_whose_body_breaks_off_does_not_hide_the_own_user() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, Some(KEY)).await.status, StatusCode::CREATED);
    app.until_resolved().await;
    lose_rows(&app);
    app.auth0.fault(Route::CreateUser, Fault::truncated());
    let again = sign_up(&app, Some(KEY)).await;
    assert_eq!(app.creates().last().unwrap().status, Some(409));
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
}

#[tokio::test]
async fn a_rejection_whose_body_is_too_long_does_not_hide_the_own_user() {
    for status in [400, 403, 409] {
        let app = TestApp::spawn().await;
        assert_eq!(sign_up(&app, Some(KEY)).await.status, StatusCode::CREATED);
        app.until_resolved().await;
        lose_rows(&app);
        app.auth0.fault(Route::CreateUser, Fault::answer(status).body("x".repeat(1024 * 1024)));
        let again = sign_up(&app, Some(KEY)).await;
        assert_eq!(app.creates().last().unwrap().status, Some(status));
        assert_eq!(again.status, StatusCode::CREATED, "{status}: {again:?}");
    }
}

#[tokio::test]
async fn the_same_sign_up_pins_the_same_id_and_another_one_another() {
    let app = TestApp::spawn().await;
    let forms = [
        (Some(KEY), ada()),
        (Some(KEY), ada()),
        (Some("another-key-of-more-than-16"), ada()),
        (None, ada()),
        (None, ada_with("nickname", "countess")),
        (None, ada_with("email", "grace@example.com")),
    ];
    for (key, form) in &forms {
        app.auth0.fault(Route::CreateUser, Fault::answer(403));
        app.sign_up_with_key(*key, form).await;
    }
    let creates = app.creates();
    let ids: Vec<_> = creates.iter().map(|call| call.json()["user_id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[3], ids[4]);
    let distinct: std::collections::HashSet<_> = ids.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 4, "{ids:?}");
}

#[tokio::test]
async fn another_form_is_not_given_the_user() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, Some(KEY)).await.status, StatusCode::CREATED);
    app.until_resolved().await;
    lose_rows(&app);
    // Another key, and no key.
    let other = sign_up(&app, Some("another-key-of-more-than-16")).await;
    assert_eq!(other.problem(), "email_taken");
    assert_eq!(sign_up(&app, None).await.problem(), "email_taken");
}

#[tokio::test]
async fn a_key_with_another_password_is_not_given_the_user_of_a_lost_row() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, Some(KEY)).await.status, StatusCode::CREATED);
    let id = app.creates()[0].json()["user_id"].clone();
    app.until_resolved().await;
    lose_rows(&app);
    // One password in 256 shares the 8 bits that are in the id.
    for number in 0..4 {
        app.auth0.fault(Route::CreateUser, Fault::answer(403));
        let form = ada_with("password", format!("Another-Password-{number}"));
        assert_eq!(app.sign_up_with_key(Some(KEY), &form).await.problem(), "upstream_rejected");
        if number == 3 || app.creates().last().unwrap().json()["user_id"] != id {
            let response = app.sign_up_with_key(Some(KEY), &form).await;
            assert_eq!(response.problem(), "email_taken", "{response:?}");
            break;
        }
    }
    let own = sign_up(&app, Some("another-key-of-more-than-16")).await;
    assert_eq!(own.problem(), "email_taken");
}

#[tokio::test]
async fn a_password_with_the_same_eight_bits_is_not_given_the_user() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, None).await.status, StatusCode::CREATED);
    let id = app.creates()[0].json()["user_id"].clone();
    let collision = colliding_form(&app, None, &id).await;
    let response = app.sign_up_with_key(None, &collision).await;
    assert_eq!(response.problem(), "email_taken", "the ledger knows the other form");
}

#[tokio::test]
async fn a_conflict_is_looked_up_before_it_is_believed() {
    let app = app_with_user(Emulator::builder(), Duration::from_mins(1)).await;
    assert_eq!(sign_up(&app, None).await.problem(), "email_taken");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);

    // A lookup that fails once is made again. One that fails leaves the outcome open, and says when to
    // come back.
    for (nth, fault) in
        [Fault::answer(500), Fault::html(403), Fault::html(404)].into_iter().enumerate()
    {
        app.auth0.fault(Route::UsersByEmail, fault);
        let form = ada_with("password", format!("Yet-Another-Password-{nth}"));
        assert_eq!(app.sign_up_with_key(None, &form).await.problem(), "email_taken", "{nth}");
    }
    app.auth0.fault(Route::UsersByEmail, Fault::reset().times(2));
    let form = ada_with("password", "Another-Password-1");
    let unknown = app.sign_up_with_key(None, &form).await;
    assert_eq!(unknown.problem(), "outcome_unknown");
    assert!(unknown.header("retry-after").is_some(), "{unknown:?}");
    assert_eq!(app.sign_up_with_key(None, &form).await.problem(), "email_taken");

    // The tenant has no room for it.
    app.auth0.fault(Route::UsersByEmail, Fault::answer(429).header("retry-after", "1"));
    let form = ada_with("password", "Another-Password-2");
    assert_eq!(app.sign_up_with_key(None, &form).await.problem(), "upstream_busy");
}

/// An unknown attempt is repeated without paying, and its calls go before those of new sign-ups.
#[tokio::test]
async fn a_conflict_without_room_for_its_lookup_is_busy_and_frees_the_key() {
    const PAID: &str = r#"limiter_decisions_total{limit="email",outcome="allowed"}"#;
    let tenant = |tenant: &mut auth0_emulator::Tenant| {
        tenant.plan = Plan::Custom { burst: 10, per_second: 1.0 / 60.0 };
    };
    let builder = TestApp::builder().auth0(tenant).set("auth0.budget.max_wait_ms", "100");
    let app = builder.set("auth0.budget.reserve_percent", "50").spawn().await;
    app.learn_whether_ids_are_kept().await;
    let low = Fault::answer(409)
        .header("x-ratelimit-limit", "10")
        .header("x-ratelimit-remaining", "4")
        .body(CONFLICT);
    app.auth0.fault(Route::CreateUser, low);
    let busy = sign_up(&app, Some(KEY)).await;
    assert_eq!(busy.problem(), "upstream_busy");
    assert!(busy.header("retry-after").is_some(), "{busy:?}");
    // It pays again, and waits as a new one does.
    let paid = app.metric(PAID).await;
    assert_eq!(sign_up(&app, Some(KEY)).await.problem(), "upstream_busy");
    assert_eq!(app.metric(PAID).await, paid + 1);
    let statuses: Vec<_> = app.creates().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [201, 409].map(Some));
    let lookups = [Route::UsersByEmail, Route::GetUser].map(|route| app.auth0.calls(route).len());
    assert_eq!(lookups, [0, 0]);
}

#[tokio::test]
async fn a_conflict_without_a_user_is_about_what_was_sent() {
    // Nothing but the address: a custom database knows it, and Auth0 has no user yet.
    let app = TestApp::spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::answer(409).body(CONFLICT));
    let response = sign_up(&app, None).await;
    assert_eq!(response.problem(), "email_taken");
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);

    for (field, value, problem) in [
        ("username", "ada", "username_taken"),
        // Auth0 is not known to say which identifier it is.
        ("phone_number", "+491701234567", "upstream_rejected"),
    ] {
        let app = TestApp::builder().set(&format!("fields.{field}"), "optional").spawn().await;
        app.auth0.fault(Route::CreateUser, Fault::answer(409).body(CONFLICT));
        let response = app.sign_up_with_key(None, &ada_with(field, value)).await;
        assert_eq!(response.problem(), problem);
    }
}

#[tokio::test]
async fn without_read_users_a_conflict_is_taken() {
    let tenant = Emulator::builder().tenant(|tenant| tenant.scopes = vec!["create:users".into()]);
    let app = app_with_user(tenant, Duration::from_mins(1)).await;
    assert_eq!(sign_up(&app, None).await.problem(), "email_taken");
    assert!(app.auth0.calls(Route::UsersByEmail).is_empty(), "the token names its scopes");
}

/// Something in front of the tenant may forbid one.
#[tokio::test]
async fn a_lookup_that_was_forbidden_is_no_reason_to_send_no_others() {
    let app = app_with_user(Emulator::builder(), Duration::from_mins(1)).await;
    app.auth0.fault(Route::UsersByEmail, Fault::answer(403).body(FORBIDDEN));
    for lookups in 1..3 {
        let form = ada_with("password", format!("Another-Password-{lookups}"));
        assert_eq!(app.sign_up_with_key(None, &form).await.problem(), "email_taken");
        assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), lookups);
    }
}

#[tokio::test]
async fn an_address_of_older_users_is_looked_up_once_in_ten_minutes() {
    let app = app_with_user(Emulator::builder(), Duration::from_hours(25)).await;
    for number in 0..5 {
        let form = ada_with("password", format!("Stuffed-Password-{number}"));
        assert_eq!(app.sign_up_with_key(None, &form).await.problem(), "email_taken");
    }
    assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1);
    assert_eq!(app.creates().iter().filter(|call| call.status == Some(409)).count(), 5);
}

/// The older user is deleted, and another replica creates one for the address, then dies.
#[tokio::test]
async fn what_is_remembered_of_an_address_does_not_decide_a_resumed_attempt() {
    let scopes = ["create:users", "read:users", "delete:users"].map(str::to_owned);
    let tenant = Emulator::builder().tenant(|tenant| tenant.scopes = scopes.into());
    let app = app_with_user(tenant, Duration::from_hours(25)).await;
    assert_eq!(sign_up(&app, None).await.problem(), "email_taken");
    app.delete_the_user().await;
    app.learn_whether_ids_are_kept().await;
    // The row and the user of such an attempt, of which this process has learned nothing.
    let busy = Fault::answer(429).header("retry-after", "1").after_acting();
    app.auth0.fault(Route::CreateUser, busy.always());
    assert_eq!(sign_up(&app, Some(KEY)).await.problem(), "upstream_busy");
    app.auth0.clear_faults();
    let ledger = app.ledger();
    let lose = "UPDATE attempts SET state = 0, outcome_code = NULL, finished_at = NULL, \
                worker = x'00000000000000000000000000000000', next_check_at = started_at + 60000 \
                WHERE state = 4";
    assert_eq!(ledger.execute(lose, []).unwrap(), 1);
    app.auth0.fault(Route::GetUser, Fault::answer(503).always());
    let again = sign_up(&app, Some(KEY)).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
}

#[tokio::test]
async fn a_user_older_than_the_key_is_taken() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, None).await.status, StatusCode::CREATED);
    app.until_resolved().await;
    lose_rows(&app);
    // Without a key, an attempt is the same for ten minutes.
    app.auth0.advance_clock(Duration::from_mins(11));
    assert_eq!(sign_up(&app, None).await.problem(), "email_taken");
}

#[tokio::test]
async fn a_user_with_another_address_was_not_created_by_the_call() {
    let app = TestApp::spawn().await;
    let other = r#"{"user_id":"auth0|6743a5b00000000000000001","email":"eve@example.com"}"#;
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(other));
    let response = sign_up(&app, None).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(response.json()["user"]["email"], "ada@example.com");
    assert_eq!(app.creates().len(), 2, "looked up, and repeated");

    let app = TestApp::spawn().await;
    let nobody = r#"{"user_id":"","email":"ada@example.com"}"#;
    app.auth0.fault(Route::CreateUser, Fault::answer(201).body(nobody));
    let response = sign_up(&app, None).await;
    assert_ne!(response.json()["user"]["user_id"], "auth0|", "{response:?}");
    assert_eq!(app.creates().len(), 2);
}

#[tokio::test]
async fn a_sign_up_that_is_sent_again_with_another_name_gets_its_own_user() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(500));
    app.auth0.fault(Route::CreateUser, Fault::answer(500));
    assert_eq!(sign_up(&app, None).await.problem(), "outcome_unknown");
    let corrected = ada_with("given_name", "Adah");
    let response = app.sign_up_with_key(None, &corrected).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn a_lost_response_for_a_username_with_a_capital_letter_is_found() {
    let builder = TestApp::builder().set("fields.username", "required");
    let app = builder.auth0(|tenant| tenant.requires_username = true).spawn().await;
    app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let response = app.sign_up_with_key(None, &ada_with("username", "AdaL")).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.auth0.users()[0]["username"], "adal");
}

#[tokio::test]
async fn a_colliding_form_without_a_key_gets_no_profile_after_a_failed_lookup() {
    let app = TestApp::spawn().await;
    let victim = sign_up(&app, None).await;
    let id = app.creates()[0].json()["user_id"].clone();
    let collision = colliding_form(&app, None, &id).await;
    // Its conflict cannot be looked up, so it is unknown. The next try finds the pinned id.
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).times(2));
    let unknown = app.sign_up_with_key(None, &collision).await;
    assert_eq!(unknown.problem(), "outcome_unknown");
    let again = app.sign_up_with_key(None, &collision).await;
    assert_eq!(again.problem(), "email_taken", "{again:?}");
    assert_eq!(victim.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_user_is_recognised_although_the_tenant_names_the_username() {
    let builder = TestApp::builder().set("fields.username", "required");
    let app = builder.auth0(|tenant| tenant.requires_username = true).spawn().await;
    let form = ada_with("username", "ada");
    assert_eq!(app.sign_up_with_key(Some(KEY), &form).await.status, StatusCode::CREATED);
    app.until_resolved().await;
    lose_rows(&app);
    app.auth0.fault(Route::CreateUser, Fault::answer(400).body(USERNAME_TAKEN));
    assert_eq!(app.sign_up_with_key(Some(KEY), &form).await.status, StatusCode::CREATED);

    // Of another user, it is what it says.
    let other = json!({
        "email": "eve@example.com", "password": "Difference-Engine-1843", "username": "ada",
        "given_name": "Eve", "family_name": "Lovelace",
    });
    assert_eq!(app.sign_up_with_key(None, &other).await.problem(), "username_taken");
}

#[tokio::test]
async fn of_two_forms_that_pin_one_id_the_one_that_created_the_user_gets_it() {
    let app = TestApp::spawn().await;
    app.learn_whether_ids_are_kept().await;
    // Ada's call creates the user, and nothing shows it yet.
    app.auth0.fault(Route::CreateUser, Fault::answer(500).after_acting());
    app.auth0.fault(Route::GetUser, Fault::answer(500));
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).times(2));
    assert_eq!(sign_up(&app, None).await.problem(), "outcome_unknown");
    let id = app.creates().last().unwrap().json()["user_id"].clone();
    // Another form pins the same id, and its conflict cannot be looked up at first.
    let mut other = colliding_form(&app, None, &id).await;
    other["given_name"] = "Eve".into();
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).times(2));
    assert_eq!(app.sign_up_with_key(None, &other).await.problem(), "outcome_unknown");

    let created = sign_up(&app, None).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    assert_eq!(created.json()["user"]["given_name"], "Ada");
    assert_eq!(app.sign_up_with_key(None, &other).await.problem(), "email_taken");
    assert_eq!(app.auth0.users().len(), 2);
}

#[tokio::test]
async fn a_colliding_form_gets_no_user_after_the_row_was_lost() {
    let app = TestApp::spawn().await;
    assert_eq!(sign_up(&app, None).await.status, StatusCode::CREATED);
    let id = app.creates()[0].json()["user_id"].clone();
    let mut other = colliding_form(&app, None, &id).await;
    other["given_name"] = "Eve".into();
    app.until_resolved().await;
    lose_rows(&app);
    assert_eq!(app.sign_up_with_key(None, &other).await.problem(), "email_taken");
    assert_eq!(sign_up(&app, None).await.status, StatusCode::CREATED);
}
