//! TLS with the emulator's own CA.

use auth0_emulator::{Emulator, Fault, Route};
use reqwest::{Method, StatusCode};

use crate::client::{TestClient, user};

#[tokio::test]
async fn a_user_is_created_over_tls() {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    assert!(auth0.url().starts_with("https://127.0.0.1:"));
    let client = TestClient::new(&auth0);
    let response = client.create(&user("a@b.co")).await;
    assert_eq!(response.status, StatusCode::CREATED, "{:?}", response.body);
}

#[tokio::test]
async fn the_ca_is_the_emulators_own() {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    let other = Emulator::builder().tls(true).start().await.unwrap();
    assert_ne!(auth0.ca_pem(), other.ca_pem());
    let request = TestClient::new(&other)
        .http
        .get(format!("{}/.well-known/jwks.json", auth0.url()))
        .send()
        .await;
    assert!(request.unwrap_err().is_connect());
    assert!(auth0.journal().is_empty());
}

#[tokio::test]
async fn a_second_port_can_serve_tls_beside_plain_http() {
    let auth0 = Emulator::builder().tls_port(0).start().await.unwrap();
    assert!(auth0.url().starts_with("http://"));
    let client = TestClient::new(&auth0);
    assert_eq!(client.create(&user("a@b.co")).await.status, StatusCode::CREATED);
    let keys = format!("{}/.well-known/jwks.json", auth0.tls_url().unwrap());
    assert_eq!(client.http.get(keys).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn faults_work_under_tls() {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    let client = TestClient::new(&auth0);
    for fault in [Fault::reset(), Fault::close()] {
        auth0.fault(Route::Keys, fault.clone());
        let request = client.request(Method::GET, "/.well-known/jwks.json");
        let error = request.send().await.unwrap_err();
        assert!(!error.is_timeout() && !error.is_connect(), "{fault:?}: {error:?}");
    }
    let request = client.request(Method::GET, "/.well-known/jwks.json");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}
