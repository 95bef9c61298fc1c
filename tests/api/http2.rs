//! HTTP/2 to the tenant, over TLS: one connection carries every call, and one that breaks is
//! replaced.

use auth0_emulator::{Emulator, Fault, Route};
use http::Version;
use reqwest::StatusCode;

use crate::app::{TestApp, ada_with};
use crate::temp_dir::TempDir;

async fn app() -> (TestApp, TempDir) {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    let folder = TempDir::new();
    let ca = folder.file("ca.pem", auth0.ca_pem().unwrap());
    let url = auth0.tls_url().unwrap().to_owned();
    let builder = TestApp::builder().tenant(auth0).set("auth0.domain", &url);
    let builder = builder.set("auth0.ca_file", ca.to_str().unwrap()).set("auth0.http2", "true");
    let builder = builder.set("reconciliation.not_created_after_ms", "1000");
    (builder.set("auth0.timeout_ms", "1500").spawn().await, folder)
}

async fn sign_up(app: &TestApp, nth: usize) -> StatusCode {
    app.sign_up(&ada_with("email", format!("person{nth}@example.com"))).await.status
}

#[tokio::test]
async fn calls_share_one_connection() {
    let (app, _folder) = app().await;
    for nth in 0..5 {
        assert_eq!(sign_up(&app, nth).await, StatusCode::CREATED);
    }
    let calls = app.creates();
    assert!(calls.iter().all(|call| call.version == Version::HTTP_2));
    assert!(calls.iter().all(|call| call.connection == calls[0].connection));
}

#[tokio::test]
async fn a_call_that_breaks_is_resolved_and_the_next_one_works() {
    for fault in [Fault::goaway(), Fault::stream_reset(), Fault::black_hole()] {
        let (app, _folder) = app().await;
        assert_eq!(sign_up(&app, 0).await, StatusCode::CREATED);
        app.auth0.fault(Route::CreateUser, fault.clone());
        // The status depends on how soon the broken connection is noticed.
        sign_up(&app, 1).await;
        app.until_created(2).await;
        assert_eq!(sign_up(&app, 3).await, StatusCode::CREATED, "{fault:?}");
        app.until_resolved().await;
        let emails = app.auth0.users().into_iter().map(|user| user["email"].clone());
        assert!(emails.filter(|email| email == "person1@example.com").count() <= 1, "{fault:?}");
    }
}
