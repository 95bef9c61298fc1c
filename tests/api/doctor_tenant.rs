//! `auth0-signup doctor` and the tenant: the way to it, its clock, and the tokens and scopes that it grants.

use std::collections::HashMap;
use std::fs;

use auth0_emulator::{Emulator, Fault, Route, Tenant};
use serde_json::json;

use crate::doctor::Patient;

fn oauth(status: u16, error: &str, description: &str) -> Fault {
    let body = json!({ "error": error, "error_description": description });
    Fault::answer(status).body(body.to_string())
}

/// Every row of the token endpoint's errors (`docs/auth0.md`), and what cannot be reached or read.
#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_the_token_endpoint_has_its_own_explanation() {
    let patient = Patient::new().await;
    let grant =
        "Client is not authorized to access \"https://x/api/v2/\". You need a client-grant.";
    let mut messages = HashMap::new();
    for (fault, id, setting) in [
        (oauth(401, "access_denied", "Unauthorized"), "token.credentials", "auth0.client_secret"),
        (oauth(403, "access_denied", grant), "token.client_grant", "auth0.client_id"),
        (
            oauth(403, "access_denied", "Service not enabled within domain: https://x/api/v2"),
            "token.unknown_audience",
            "auth0.audience",
        ),
        (oauth(403, "access_denied", "x"), "token.audience", "auth0.audience"),
        (
            oauth(
                403,
                "unauthorized_client",
                "Grant type 'client_credentials' not allowed for the client.",
            ),
            "token.grant_type",
            "auth0.client_id",
        ),
        (oauth(400, "invalid_request", "x"), "token.undocumented", "auth0.client_id"),
        (
            oauth(429, "too_many_requests", "Client quota exceeded").header("retry-after", "3600"),
            "token.rate_limited",
            "",
        ),
        (Fault::html(404), "tenant.not_auth0", "auth0.domain"),
        (Fault::html(503), "token.failed", "auth0.domain"),
        (Fault::close(), "token.failed", "auth0.domain"),
        (
            Fault::answer(302).header("location", "https://other.example.com/x"),
            "tenant.redirects",
            "auth0.domain",
        ),
    ] {
        patient.auth0.fault(Route::Token, fault);
        let found = patient.run(&[]);
        assert_eq!(found.status, 1, "{id}");
        assert_eq!(found.ids("error"), [id], "{:#}", found.report);
        let finding = found.find(id);
        if !setting.is_empty() {
            assert_eq!(finding["setting"], setting, "{id}");
        }
        let message = finding["message"].as_str().unwrap().to_owned();
        assert_eq!(*messages.entry(message).or_insert(id), id, "one text for two causes");
        for skipped in ["scopes.skipped", "api.skipped", "connection.skipped"] {
            assert_eq!(found.find(skipped)["message"], "skipped: there is no token");
        }
        assert!(found.has("database.new"), "the other checks run");
    }
}

/// The responses of the emulator itself, without a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_set_up_wrongly_is_explained() {
    type Change = fn(&mut Tenant);
    let cases: [(Change, &str); 6] = [
        (|t| t.client_secret = "rotated".to_owned(), "token.credentials"),
        (|t| t.authorized = false, "token.client_grant"),
        (|t| t.grant_types.clear(), "token.grant_type"),
        (|t| t.audience = Some("https://other/api/v2/".to_owned()), "token.unknown_audience"),
        (|t| t.scopes.clear(), "scopes.create_users"),
        (|t| t.scopes = vec!["create:users ".to_owned()], "scopes.read_users"),
    ];
    for (change, id) in cases {
        let patient = Patient::new().await;
        patient.auth0.tenant(change);
        let found = patient.run(&[]);
        assert!(found.has(id), "{id} in {:#}", found.report);
        assert_eq!(patient.creates(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_down_rejects_no_token() {
    let patient = Patient::new().await;
    patient.auth0.fault(Route::GetUser, Fault::answer(503).always());
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["api.failed"]);
    let skipped = &found.find("connection.skipped")["message"];
    assert_eq!(skipped, "skipped: the Management API gave no usable response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_fails_is_not_taken_for_another_program() {
    let patient = Patient::new().await;
    for status in [429, 503] {
        patient.auth0.clear_faults();
        patient.auth0.fault(Route::Any, Fault::answer(status).always());
        let found = patient.run(&[]);
        assert!(found.message("tenant.failing").ends_with(&format!("status {status}")));
        assert!(found.has("clock.skipped") && found.status == 1, "{:#}", found.report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_the_tenants_is_named_by_its_setting() {
    let patient = Patient::new().await;
    for (route, fault) in [
        (Route::Any, Fault::html(404)),
        (Route::Any, Fault::html(200)),
        (Route::Token, Fault::html(200)),
        (Route::Token, Fault::html(401)),
        (Route::GetUser, Fault::html(403)),
    ] {
        patient.auth0.clear_faults();
        patient.auth0.fault(route, fault.always());
        let found = patient.run(&[]);
        assert_eq!(found.ids("error"), ["tenant.not_auth0"], "{route:?}: {:#}", found.report);
        assert_eq!(found.find("tenant.not_auth0")["setting"], "auth0.domain");
        assert_eq!(found.has("tenant.unrecognised"), matches!(route, Route::Any));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_that_are_missing_or_too_many_are_named() {
    for (scopes, severity, ids) in [
        (&["read:users"][..], "error", &["scopes.create_users"][..]),
        (&["create:users"], "warning", &["scopes.read_users"]),
        (&["create:users", "read:users", "update:users"], "warning", &["scopes.excessive"]),
    ] {
        let patient = Patient::new().await;
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        patient.auth0.tenant(|tenant| tenant.scopes.clone_from(&scopes));
        let found = patient.run(&[]);
        assert_eq!(found.ids(severity), ids, "{:#}", found.report);
        assert_eq!(found.status, i32::from(severity == "error"));
        assert!(found.has("api.ok"), "the token is accepted whatever its scopes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_cannot_be_reached_skips_what_needs_it() {
    let patient = Patient::new().await.set("AUTH0_DOMAIN", "http://127.0.0.1:1");
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["tenant.unreachable"]);
    for skipped in [
        "clock",
        "token",
        "scopes",
        "api",
        "connection",
        "attributes",
        "public_signup",
        "password_policy",
        "custom_domain",
        "live",
    ] {
        let finding = found.find(&format!("{skipped}.skipped"));
        assert_eq!(finding["severity"], "warning");
    }
    let patient = patient.set("AUTH0_DOMAIN", "tenant.invalid");
    let patient = patient.set("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2/");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["dns.unresolved"]);
    assert_eq!(found.find("dns.unresolved")["setting"], "auth0.domain");
    let patient = patient.set("HTTPS_PROXY", "http://user:canary@127.0.0.1:1");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["proxy.unreachable"]);
    assert_eq!(found.find("proxy.unreachable")["setting"], "HTTPS_PROXY");
    assert!(found.has("dns.skipped") && found.has("tls.skipped"), "{:#}", found.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_trusted_are_explained_and_their_end_is_known() {
    let patient = Patient::with(Emulator::builder().tls(true)).await;
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["tls.unknown_issuer"]);
    assert!(found.has("tenant.skipped") && found.has("token.skipped"), "{:#}", found.report);
    assert_eq!(found.find("tls.unknown_issuer")["setting"], "auth0.ca_file");

    let ca = patient.folder.path().join("ca.pem");
    fs::write(&ca, patient.auth0.ca_pem().unwrap()).unwrap();
    let patient = patient.set("SIGNUP__AUTH0__CA_FILE", "ca.pem");
    let found = patient.run(&[]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    let message = found.find("tls.ok")["message"].as_str().unwrap();
    assert!(message.ends_with("valid until 4096-01-01"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_proxy_is_not_taken_for_that_of_the_tenant() {
    // A tenant's emulator in place of the proxy: it rejects CONNECT.
    let patient = Patient::with(Emulator::builder().tls(true)).await;
    let proxy = patient.auth0.tls_url().unwrap().to_owned();
    let patient = patient.set("AUTH0_DOMAIN", "tenant.eu.auth0.com").set("HTTPS_PROXY", &proxy);
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["proxy.untrusted"], "{:#}", found.report);
    assert_eq!(found.find("proxy.untrusted")["setting"], "HTTPS_PROXY");
    let message = found.message("proxy.untrusted");
    assert!(message.contains("no trusted authority signed the certificate"), "{message}");
    for skipped in ["tls.skipped", "tenant.skipped", "token.skipped"] {
        assert!(found.has(skipped), "{:#}", found.report);
    }

    let ca = patient.folder.path().join("ca.pem");
    fs::write(&ca, patient.auth0.ca_pem().unwrap()).unwrap();
    let patient = patient.set("SIGNUP__AUTH0__CA_FILE", "ca.pem");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["tenant.unreachable"], "{:#}", found.report);
    assert!(found.has("tls.skipped"), "{:#}", found.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_reported() {
    for (ahead, id, status) in [(0, "clock.ok", 0), (10, "clock.skewed", 0), (60, "clock.wrong", 1)]
    {
        let patient = Patient::new().await;
        patient.auth0.advance_clock(std::time::Duration::from_secs(ahead));
        let found = patient.run(&[]);
        assert!(found.has(id), "{:#}", found.report);
        assert_eq!(found.status, status);
    }
}
