//! The log of a running service.

use auth0_emulator::{DEFAULT_CLIENT_SECRET, Emulator, Fault, Gate, Route};
use reqwest::Client;
use serde_json::Value;

use crate::app::{ada, hang_up_once};
use crate::process::Process;

async fn running() -> (Emulator, Process, Client) {
    let auth0 = Emulator::builder().start().await.unwrap();
    let process = Process::start(&auth0, &[("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)]).await;
    (auth0, process, Client::builder().no_proxy().build().unwrap())
}

fn closing_event(outcome: &str) -> impl Fn(&Value) -> bool {
    move |event| event["outcome"] == outcome && event["http.route"] == "/signup"
}

#[tokio::test]
async fn a_request_is_one_event_with_the_documented_fields() {
    let (_auth0, process, client) = running().await;
    let url = format!("http://{}/signup", process.address);
    let response = client.post(url).json(&ada()).send().await.unwrap();
    let event = process.event(closing_event("created")).await;
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["message"], "POST /signup returned 201 created");
    assert_eq!(event["http.request.method"], "POST");
    assert_eq!(event["http.response.status_code"], 201);
    assert_eq!(event["request_id"], response.headers()["x-request-id"].to_str().unwrap());
    assert!(event["duration_ms"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn an_error_is_logged_with_its_causes() {
    let (auth0, process, client) = running().await;
    let url = format!("http://{}/signup", process.address);
    client.post(&url).json(&ada()).send().await.unwrap();
    auth0.stop().await;
    let mut other = ada();
    other["email"] = "other@example.com".into();
    client.post(&url).json(&other).send().await.unwrap();
    let event = process.event(closing_event("upstream_unavailable")).await;
    assert_eq!(event["level"], "WARN");
    let error = event["error"].as_str().unwrap();
    let expected = "the create-user call was not sent: no connection to the tenant: ";
    assert!(error.starts_with(expected) && error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_client_that_disconnects_is_logged_and_so_is_the_outcome() {
    let (auth0, process, client) = running().await;
    let url = format!("http://{}/signup", process.address);
    let gate = Gate::new();
    auth0.fault(Route::CreateUser, Fault::held(&gate));
    let request = client.post(&url).json(&ada());
    hang_up_once(request, || !auth0.calls(Route::CreateUser).is_empty()).await;
    let gone = process.event(closing_event("caller_gone")).await;
    assert_eq!(gone["http.response.status_code"], 499);
    gate.open();
    let late = process.event(|event| event["outcome"] == "created").await;
    assert_eq!(late["request_id"], gone["request_id"]);
    let metrics = client.get(format!("http://{}/metrics", process.admin)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("signup_requests_total{outcome=\"caller_gone\"} 1"), "{metrics}");
}
