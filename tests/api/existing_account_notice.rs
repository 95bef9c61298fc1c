//! `existence_uniform.notify_existing`: the e-mail to the owner of a known address that somebody signs up with.

use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{Ahead, KEY, TestApp, ada, ada_with, person};
use crate::existence::{OTHER_KEY, notifying};
use crate::identity::sign_up_elsewhere;
use crate::server::database;

const OLD_SECRET: &str = "0123456789abcdef0123456789abcdef";
const NEW_SECRET: &str = "fedcba9876543210fedcba9876543210";

#[tokio::test]
async fn the_owner_of_a_known_address_gets_one_e_mail_a_day() {
    let mut app = notifying().spawn().await;
    app.sign_up(&ada()).await;
    for n in 0..3 {
        app.sign_up(&ada_with("password", format!("Another-Password-{n}"))).await;
    }
    // A shutdown waits for the e-mail as it waits for sign-ups.
    app.stop().await.unwrap();
    let mails = app.auth0.calls(Route::ChangePassword);
    assert_eq!(mails.len(), 1);
    let body: Value = serde_json::from_slice(&mails[0].body).unwrap();
    assert_eq!(
        body,
        json!({
            "client_id": "the-web-application",
            "email": "ada@example.com",
            "connection": "Username-Password-Authentication",
        })
    );
}

#[tokio::test]
async fn a_rotation_of_the_secret_brings_the_owner_no_second_e_mail() {
    let mut app = notifying().set("secrets.key", OLD_SECRET).spawn().await;
    app.sign_up(&ada()).await;
    let steps = [(OLD_SECRET, NEW_SECRET), (NEW_SECRET, OLD_SECRET), (NEW_SECRET, "")];
    for (n, (key, other)) in steps.into_iter().enumerate() {
        app = app.restart_with(&[("secrets.key", key), ("secrets.previous_key", other)]).await;
        app.sign_up(&ada_with("password", format!("Another-Password-{n}"))).await;
    }
    app.stop().await.unwrap();
    assert_eq!(app.auth0.calls(Route::ChangePassword).len(), 1);
}

#[tokio::test]
async fn the_owner_gets_it_although_no_lookup_shows_whose_user_it_is() {
    let mut app = notifying().spawn().await;
    app.sign_up(&ada()).await;
    app.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
    app.sign_up(&ada_with("password", "Another-Password-1")).await;
    app.stop().await.unwrap();
    assert_eq!(app.auth0.calls(Route::ChangePassword).len(), 1);
}

#[tokio::test]
async fn a_mail_that_the_tenant_has_no_room_for_is_not_a_rejected_one() {
    for (status, outcome) in [(429, "failed"), (503, "failed"), (400, "rejected")] {
        let mut app = notifying().spawn().await;
        app.auth0.fault(Route::ChangePassword, Fault::answer(status));
        app.sign_up(&ada()).await;
        app.sign_up(&ada_with("password", "Another-Password-1")).await;
        let counted =
            format!(r#"auth0_requests_total{{operation="change_password",outcome="{outcome}"}}"#);
        app.until_metric(&counted, 1).await;
        app.stop().await.unwrap();
    }
}

/// Signs up with known addresses, by their number, and restarts with these settings, which waits for the mails and for
/// what is recorded of them. Returns how often each address has been mailed so far.
async fn mails_after(
    app: TestApp,
    password: &str,
    known: usize,
    settings: &[(&str, &str)],
) -> (TestApp, Vec<usize>) {
    for nth in 0..known {
        let mut form = person(nth);
        form["password"] = password.into();
        assert_eq!(app.sign_up(&form).await.status, StatusCode::ACCEPTED);
    }
    let app = app.restart_with(settings).await;
    let mut mails = vec![0; known];
    for call in app.auth0.calls(Route::ChangePassword) {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        mails[(0..known).find(|nth| person(*nth)["email"] == body["email"]).unwrap()] += 1;
    }
    (app, mails)
}

#[tokio::test]
async fn a_mail_that_auth0_did_not_accept_is_requested_by_the_next_sign_up() {
    let rejections = [302, 400, 401, 403, 404, 408, 429];
    let url = database().await;
    for url in [None, Some(&*url)] {
        // In a rotation the mark is recorded under both secrets.
        let app =
            notifying().set("secrets.key", NEW_SECRET).set("secrets.previous_key", OLD_SECRET);
        let app = if let Some(url) = url { app.set("database.url", url) } else { app };
        let mut app = app.spawn().await;
        let steps: [(_, usize, &[_]); 5] = [
            ("First-Password-1", 0, &[]),
            ("Second-Password-2", 1, &[("secrets.previous_key", "")]),
            // The same form again, which is a replay.
            ("Second-Password-2", 2, &[]),
            ("Second-Password-2", 2, &[]),
            ("Third-Password-3", 2, &[]),
        ];
        for (password, expected, settings) in steps {
            let mails;
            (app, mails) = mails_after(app, password, rejections.len(), settings).await;
            assert_eq!(mails, [expected; 7], "{url:?}: {password}");
            if expected == 0 {
                for status in rejections {
                    app.auth0.fault(Route::ChangePassword, Fault::answer(status));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_mail_that_auth0_never_got_is_requested_by_the_next_sign_up() {
    let app = notifying().spawn().await;
    let (app, mails) = mails_after(app, "First-Password-1", 1, &[]).await;
    assert_eq!(mails, [0]);
    // The mail follows the lookup of the user, and finds nobody there.
    let lookup = Gate::new();
    app.auth0.fault(Route::UsersByEmail, Fault::held(&lookup).always());
    let mut form = person(0);
    form["password"] = "Second-Password-2".into();
    assert_eq!(app.sign_up(&form).await.status, StatusCode::ACCEPTED);
    lookup.arrived(1).await;
    app.auth0.stop().await;
    let failed = r#"auth0_requests_total{operation="change_password",outcome="failed"}"#;
    app.until_metric(failed, 1).await;
    app.auth0.clear_faults();
    app.auth0.start_again().await.unwrap();
    let app = app.restart().await;
    let (_app, mails) = mails_after(app, "Third-Password-3", 1, &[]).await;
    assert_eq!(mails, [1]);
}

#[tokio::test]
async fn a_mail_that_auth0_may_have_sent_is_not_requested_again() {
    let app = notifying().spawn().await;
    let (app, mails) = mails_after(app, "First-Password-1", 4, &[]).await;
    assert_eq!(mails, [0; 4]);
    let failures =
        [Fault::answer(500), Fault::answer(503), Fault::close(), Fault::reset_after_acting()];
    for failure in failures {
        app.auth0.fault(Route::ChangePassword, failure);
    }
    let (app, mails) = mails_after(app, "Second-Password-2", 4, &[]).await;
    assert_eq!(mails, [1; 4]);
    let (_app, mails) = mails_after(app, "Third-Password-3", 4, &[]).await;
    assert_eq!(mails, [1; 4]);
}

/// While the clock is known to be wrong, nothing deletes the mark of the first notice.
#[tokio::test]
async fn the_owner_is_notified_again_after_a_day_although_nothing_is_deleted() {
    let clock = Arc::new(Ahead::default());
    let app = notifying().clock(Arc::<Ahead>::clone(&clock)).spawn().await;
    sign_up_elsewhere(&app.auth0).await;
    for (hours, key, mails) in [(0, KEY, 1), (25, OTHER_KEY, 2)] {
        clock.put_forward(Duration::from_hours(hours));
        assert_eq!(app.sign_up_with_key(key, &ada()).await.status, StatusCode::ACCEPTED);
        app.until(|app| app.auth0.calls(Route::ChangePassword).len() == mails).await;
    }
}
