//! Users of other connections with the same e-mail address: whatever they are like, they decide nothing.

use std::collections::HashMap;

use auth0_emulator::{Emulator, Fault, Gate, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{CONFLICT, KEY, TestApp, TestResponse, ada, ada_with};
use crate::identity::{colliding_form, lose_rows, sign_up, sign_up_elsewhere};

const CONNECTION: &str = "Username-Password-Authentication";

/// Users as identity providers describe them, each of a wrong type somewhere.
///
/// The texts in `email_verified` are those of issues 171 of go-auth0/auth0 (Apple) and 570 of
/// auth0/go-auth0 (SAML).
fn neighbours() -> Vec<Value> {
    let apple =
        json!([{"provider": "apple", "user_id": "1", "connection": "apple", "isSocial": true}]);
    let user = |changes: Value| {
        let mut user = json!({"user_id": "apple|1", "email": "ada@example.com",
            "created_at": "2026-01-01T00:00:00.000Z", "identities": apple});
        user.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        user
    };
    vec![
        user(json!({"email_verified": "true"})),
        user(
            json!({"email_verified": "ada@example.com", "name": ["Ada"], "picture": {"url": "x"}}),
        ),
        user(json!({"created_at": {"$date": 1}, "identities": null})),
        user(json!({"created_at": null, "identities": [{"provider": "apple", "user_id": {}}]})),
        user(json!({"identities": {"connection": CONNECTION}})),
        user(json!({"identities": [5, null, {"connection": [CONNECTION], "user_id": 1}]})),
    ]
}

#[tokio::test]
async fn a_user_of_another_connection_hides_no_conflict() {
    for neighbour in neighbours() {
        let auth0 = Emulator::builder().start().await.unwrap();
        sign_up_elsewhere(&auth0).await;
        auth0.add_user(neighbour.clone()).unwrap();
        let app = TestApp::builder().tenant(auth0).spawn().await;
        let response = sign_up(&app, Some(KEY)).await;
        assert_eq!(response.problem(), "email_taken", "{neighbour}");
        assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1, "{neighbour}");
    }
}

#[tokio::test]
async fn a_user_of_another_connection_does_not_hide_the_own_user() {
    for neighbour in neighbours() {
        let app = TestApp::builder().auth0(|tenant| tenant.ignores_user_id = true).spawn().await;
        app.learn_whether_ids_are_kept().await;
        app.auth0.add_user(neighbour.clone()).unwrap();
        app.auth0.fault(Route::CreateUser, Fault::close_after_acting());
        let response = app.sign_up_with_key(KEY, &ada()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{neighbour}: {response:?}");
        assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), 1, "{neighbour}");

        let app = TestApp::spawn().await;
        app.auth0.add_user(neighbour.clone()).unwrap();
        assert_eq!(sign_up(&app, Some(KEY)).await.status, StatusCode::CREATED);
        app.until_resolved().await;
        lose_rows(&app);
        let again = sign_up(&app, Some(KEY)).await;
        assert_eq!(again.status, StatusCode::CREATED, "{neighbour}: {again:?}");
    }
}

#[tokio::test]
async fn a_lookup_asks_for_nobodys_metadata() {
    let auth0 = Emulator::builder().start().await.unwrap();
    sign_up_elsewhere(&auth0).await;
    let mut neighbour = neighbours().swap_remove(0);
    neighbour["user_metadata"] = json!({"diary": "x".repeat(400 * 1024)});
    auth0.add_user(neighbour).unwrap();
    let app = TestApp::builder().tenant(auth0).spawn().await;
    assert_eq!(sign_up(&app, Some(KEY)).await.problem(), "email_taken");

    let members = "user_id,email,email_verified,given_name,family_name,name,nickname,picture,username,\
                   phone_number,created_at,identities";
    let calls = app.auth0.calls(Route::UsersByEmail);
    assert!(!calls.is_empty());
    for call in calls {
        let query: HashMap<_, _> =
            url::form_urlencoded::parse(call.query.as_bytes()).into_owned().collect();
        assert_eq!((&*query["fields"], &*query["include_fields"]), (members, "true"));
    }
}

/// A linked profile has the attributes of its first identity.
#[tokio::test]
async fn a_user_linked_to_one_of_another_connection_is_read_by_its_own_identity() {
    for (readable, problem) in [(json!("1"), "email_taken"), (json!(null), "outcome_unknown")] {
        let app = TestApp::spawn().await;
        let mut linked = neighbours().swap_remove(1);
        let own = json!({"provider": "auth0", "connection": CONNECTION, "user_id": readable});
        linked["identities"].as_array_mut().unwrap().push(own);
        app.auth0.add_user(linked).unwrap();
        app.auth0.fault(Route::CreateUser, Fault::answer(409).body(CONFLICT));
        assert_eq!(sign_up(&app, Some(KEY)).await.problem(), problem);
    }
}

/// Links the user with this id within the connection to an older one of another connection.
pub(crate) fn link(app: &TestApp, id: &str) {
    let older = json!({"user_id": "google-oauth2|1", "email": "ada@example.com",
        "email_verified": true, "name": "Somebody", "created_at": "2024-01-01T00:00:00.000Z",
        "identities": [
            {"provider": "google-oauth2", "connection": "google-oauth2", "user_id": "1"},
            {"provider": "auth0", "connection": CONNECTION, "user_id": id}]});
    app.auth0.add_user(older).unwrap();
}

/// Signs Ada up, with this key if there is one, and links her. Returns the members that are known of her then.
async fn sign_up_and_link(app: &TestApp, key: Option<&str>) -> Value {
    let first = sign_up(app, key).await;
    assert_eq!(first.status, StatusCode::CREATED);
    app.until_resolved().await;
    let attempts = app.attempts().await;
    link(app, attempts[0].created_user_id().connection_id());
    json!({"user_id": first.json()["user"]["user_id"], "email": "ada@example.com"})
}

#[tokio::test]
async fn a_user_who_was_linked_is_not_taken_for_deleted() {
    for (key, ignores) in [(Some(KEY), false), (None, false), (Some(KEY), true)] {
        let custom = move |tenant: &mut auth0_emulator::Tenant| tenant.ignores_user_id = ignores;
        let app = TestApp::builder().auth0(custom).spawn().await;
        let known = sign_up_and_link(&app, key).await;
        for by_address in ["found", "failed"] {
            let again = sign_up(&app, key).await;
            assert_eq!(again.status, StatusCode::CREATED, "{key:?} {by_address}: {again:?}");
            assert_eq!(again.json()["user"], known, "{key:?} {by_address}");
            app.auth0.fault(Route::UsersByEmail, Fault::answer(503).always());
        }
        assert_eq!(app.creates().len(), 1, "{key:?}");
    }
}

/// As an Action does that runs after the registration.
#[tokio::test]
async fn a_user_whose_response_was_lost_and_who_was_linked_is_created() {
    for key in [Some(KEY), None] {
        let app = TestApp::spawn().await;
        app.learn_whether_ids_are_kept().await;
        let gate = Gate::new();
        app.auth0.fault(Route::CreateUser, Fault::close_after_acting().behind(&gate));
        let mut request = app.post().json(&ada());
        request =
            if let Some(key) = key { request.header("idempotency-key", key) } else { request };
        let response = tokio::spawn(TestResponse::receive(request));
        gate.arrived(1).await;
        let id = app.creates().last().unwrap().json()["user_id"].as_str().unwrap().to_owned();
        link(&app, &id);
        gate.open();
        let response = response.await.unwrap();
        assert_eq!(response.status, StatusCode::CREATED, "{key:?}: {response:?}");
        let known = json!({"user_id": format!("auth0|{id}"), "email": "ada@example.com"});
        assert_eq!(response.json()["user"], known, "{key:?}");
    }
}

/// The date of the profile says nothing about the user. Without a key, another form may have pinned the id.
#[tokio::test]
async fn a_linked_user_of_lost_rows_is_nobody_elses() {
    for key in [Some(KEY), None] {
        let app = TestApp::spawn().await;
        let known = sign_up_and_link(&app, key).await;
        lose_rows(&app);
        let again = sign_up(&app, key).await;
        if key.is_some() {
            assert_eq!(again.json()["user"], known, "{again:?}");
        } else {
            assert_eq!(again.problem(), "outcome_unknown", "{again:?}");
        }
        // Nor is the address remembered as that of an older user.
        for password in ["Another-Password-1", "Another-Password-2"] {
            let lookups = app.auth0.calls(Route::UsersByEmail).len();
            let other = app.sign_up(&ada_with("password", password)).await;
            assert_eq!(other.problem(), "email_taken");
            assert_eq!(app.auth0.calls(Route::UsersByEmail).len(), lookups + 1, "{password}");
        }
    }
}

#[tokio::test]
async fn a_linked_user_of_an_expired_key_has_the_address() {
    for (key, is_own) in [(None, true), (Some(KEY), true), (Some(KEY), false)] {
        let app = TestApp::spawn().await;
        sign_up_and_link(&app, key).await;
        let ledger = rusqlite::Connection::open(app.database()).unwrap();
        let expire = "UPDATE attempt_keys SET expires_at = 1; \
            UPDATE attempts SET key_expires_at = 1, started_at = started_at - 86400000";
        ledger.execute_batch(expire).unwrap();
        let id = app.creates()[0].json()["user_id"].clone();
        let form = if is_own { ada() } else { colliding_form(&app, key, &id).await };
        let again = app.sign_up_with_key(key, &form).await;
        assert_eq!(again.problem(), "email_taken", "{key:?} {is_own}");
    }
}

#[tokio::test]
async fn the_owner_of_a_known_address_is_mailed_beside_a_user_of_another_connection() {
    let auth0 = Emulator::builder().start().await.unwrap();
    sign_up_elsewhere(&auth0).await;
    auth0.add_user(neighbours().swap_remove(0)).unwrap();
    let mut app = TestApp::builder()
        .tenant(auth0)
        .set("existence", "uniform")
        .set("existence_uniform.notify_existing", "true")
        .set("existence_uniform.mail_client_id", "the-web-application")
        .spawn()
        .await;
    app.sign_up(&ada()).await;
    app.stop().await.unwrap();
    assert_eq!(app.auth0.calls(Route::ChangePassword).len(), 1);
}
