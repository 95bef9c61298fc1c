//! Captchas, verified by a fake service that responds as the real ones do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Emulator, Fault, Route};
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::form_urlencoded;

use crate::app::{TestApp, TestAppBuilder, TestResponse, person, with_member};
use crate::builder::CAPTCHA_SECRET;
use crate::eventually::eventually;
use crate::process::{CAPTCHA, Process};
use crate::temp_dir::TempDir;

/// A captcha service on loopback. Does not respond while `response` is `None`.
pub(crate) struct CaptchaService {
    pub(crate) url: String,
    response: Arc<Mutex<Option<(u16, String)>>>,
    requests: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl CaptchaService {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
        let service = Self { url, response: Arc::default(), requests: Arc::default() };
        let (response, requests) = (Arc::clone(&service.response), Arc::clone(&service.requests));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&response), Arc::clone(&requests)));
            }
        });
        service
    }

    pub(crate) fn responds(&self, status: u16, body: &Value) {
        *self.response.lock() = Some((status, body.to_string()));
    }

    fn stops_responding(&self) {
        *self.response.lock() = None;
    }

    fn requests(&self) -> Vec<HashMap<String, String>> {
        self.requests.lock().clone()
    }
}

/// Responds to the requests of one connection.
async fn serve(
    mut stream: TcpStream,
    response: Arc<Mutex<Option<(u16, String)>>>,
    requests: Arc<Mutex<Vec<HashMap<String, String>>>>,
) {
    let mut read = Vec::new();
    loop {
        let (head, length) = loop {
            let text = String::from_utf8_lossy(&read).to_lowercase();
            if let Some(end) = text.find("\r\n\r\n") {
                let head = &text[..end];
                assert!(head.starts_with("post /siteverify http/1.1"), "{head}");
                assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
                let length = head.split_once("content-length: ").unwrap().1;
                let length = length.lines().next().unwrap().trim().parse::<usize>().unwrap();
                if read.len() >= end + 4 + length {
                    break (end + 4, length);
                }
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let body: Vec<u8> = read.drain(..head + length).skip(head).collect();
        requests.lock().push(form_urlencoded::parse(&body).into_owned().collect());
        let Some((status, body)) = response.lock().clone() else {
            return std::future::pending().await;
        };
        // So that concurrent tokens overlap.
        sleep(Duration::from_millis(20)).await;
        let length = body.len();
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

fn app(provider: &str, service: &CaptchaService) -> TestAppBuilder {
    TestApp::builder()
        .set("challenge.required", "always")
        .captcha(provider)
        .set("challenge.captcha.verify_url", &service.url)
}

fn form(nth: usize, field: &str, token: &str) -> Value {
    with_member(person(nth), field, token)
}

fn valid() -> Value {
    json!({"success": true, "hostname": "www.example.com", "challenge_ts": "2026-09-01T00:00:00Z"})
}

fn codes(code: &str) -> Value {
    json!({"success": false, "error-codes": [code]})
}

#[tokio::test]
async fn each_service_has_its_own_field_and_a_valid_token_signs_up_once() {
    for (provider, field) in [
        ("turnstile", "cf-turnstile-response"),
        ("hcaptcha", "h-captcha-response"),
        ("recaptcha_v2", "g-recaptcha-response"),
    ] {
        let service = CaptchaService::start().await;
        service.responds(200, &valid());
        let app = app(provider, &service).spawn().await;
        let without = app.sign_up(&form(0, "altcha", "x")).await;
        assert_eq!(without.problem(), "challenge_required", "{provider}");
        assert!(service.requests().is_empty());

        let token = "canary-token.1_x";
        assert_eq!(app.sign_up(&form(1, field, token)).await.status, StatusCode::CREATED);
        let requests = service.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!((&*requests[0]["secret"], &*requests[0]["response"]), (CAPTCHA_SECRET, token));
        assert_eq!(requests[0].contains_key("sitekey"), provider == "hcaptcha");
        assert!(!requests[0].contains_key("remoteip"));
        assert!(!app.the_create().to_string().contains("canary-token"));

        // The second use is rejected, although the service still accepts the token.
        let again = app.sign_up(&form(2, field, token)).await;
        assert_eq!(again.problem(), "challenge_failed");
        assert_eq!(app.creates().len(), 1);
    }
}

#[tokio::test]
async fn the_score_the_host_and_the_action_are_checked() {
    let service = CaptchaService::start().await;
    let app = app("recaptcha_v3", &service)
        .set("challenge.captcha.action", "signup")
        .set("challenge.captcha.min_score_percent", "70")
        .spawn()
        .await;
    let good =
        json!({"success": true, "hostname": "example.org", "action": "signup", "score": 0.7});
    let rejections = [
        ("score", json!(0.69), "score"),
        ("score", Value::Null, "score"),
        ("action", json!("login"), "action"),
        ("hostname", json!("example.net"), "hostname"),
        ("hostname", Value::Null, "hostname"),
        ("success", json!(false), "rejected"),
    ];
    for (nth, (member, value, _)) in rejections.iter().enumerate() {
        let mut response = good.clone();
        response[member] = value.clone();
        service.responds(200, &response);
        let form = form(nth, "g-recaptcha-response", &format!("token-{nth}"));
        assert_eq!(app.sign_up(&form).await.problem(), "challenge_failed", "{member}");
    }
    assert_eq!(app.creates().len(), 0);
    for (reason, count) in [("score", 2), ("action", 1), ("hostname", 2), ("rejected", 1)] {
        let metric = format!("challenge_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&metric).await, count, "{reason}");
    }
    service.responds(200, &good);
    let form = form(9, "g-recaptcha-response", "token");
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_wrong_secret_is_503_and_a_wrong_token_is_403() {
    let service = CaptchaService::start().await;
    let app =
        app("turnstile", &service).set("challenge.captcha.on_unavailable", "allow").spawn().await;
    let post = async |token: &str| app.sign_up(&form(1, "cf-turnstile-response", token)).await;
    for status in [200, 400] {
        service.responds(status, &codes("invalid-input-secret"));
        let response = post("token").await;
        assert_eq!(response.problem(), "challenge_unavailable");
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        service.responds(status, &codes("timeout-or-duplicate"));
        assert_eq!(post("token").await.problem(), "challenge_failed");
    }
    let requests = service.requests().len();
    for token in ["x".repeat(2_049), "a b".to_owned(), "ä".to_owned()] {
        assert_eq!(post(&token).await.problem(), "challenge_failed");
    }
    assert_eq!(service.requests().len(), requests, "a token that no service issues is not sent");
    assert_eq!(app.creates().len(), 0);
    assert_eq!(app.metric("challenge_unavailable_total{reason=\"misconfigured\"}").await, 2);
}

#[tokio::test]
async fn while_the_service_is_unavailable_attempts_are_allowed_or_rejected_by_setting() {
    for (on_unavailable, outcome) in [("reject", "challenge_unavailable"), ("allow", "created")] {
        let service = CaptchaService::start().await;
        let app = app("turnstile", &service)
            .set("challenge.captcha.on_unavailable", on_unavailable)
            .set("challenge.captcha.timeout_ms", "300")
            .spawn()
            .await;
        for (nth, response) in [None, Some(500), Some(302), Some(403)].into_iter().enumerate() {
            match response {
                None => service.stops_responding(),
                Some(status) => service.responds(status, &json!("<html>")),
            }
            let form = form(nth, "cf-turnstile-response", &format!("token-{nth}"));
            let response = app.sign_up(&form).await;
            match outcome {
                "created" => assert_eq!(response.status, StatusCode::CREATED, "{nth}"),
                rejected => assert_eq!(response.problem(), rejected, "{nth}"),
            }
        }
        let allowed = if on_unavailable == "allow" { 4 } else { 0 };
        assert_eq!(app.metric("challenge_fail_open_total").await, allowed);
        assert_eq!(app.metric("challenge_unavailable_total{reason=\"captcha\"}").await, 4);
        // A form that looks automated is rejected either way.
        let robot = with_member(form(9, "cf-turnstile-response", "token"), "subject", "x");
        assert_eq!(app.sign_up(&robot).await.problem(), "challenge_unavailable");
    }
}

/// Under pressure a token that cannot be checked uses up nothing of the allowance without a proof.
#[tokio::test]
async fn while_the_service_is_unavailable_the_limits_alone_bound_attempts_with_a_token() {
    let service = CaptchaService::start().await;
    service.responds(500, &json!({}));
    let app = app("turnstile", &service)
        .set("challenge.required", "adaptive")
        .set("challenge.captcha.on_unavailable", "allow")
        .set("challenge.without_proof_per_hour", "1")
        .set("challenge.adaptive.address_burst", "1")
        .set("limits.address.burst", "5")
        .spawn()
        .await;
    let post = async |nth, token| app.sign_up(&form(nth, "cf-turnstile-response", token)).await;
    for nth in 0..2 {
        assert_eq!(post(nth, "").await.status, StatusCode::CREATED, "{nth}");
    }
    assert_eq!(post(2, "").await.problem(), "challenge_required");
    assert!(service.requests().is_empty());
    for nth in 3..6 {
        assert_eq!(post(nth, "token").await.status, StatusCode::CREATED, "{nth}");
    }
    assert_eq!(service.requests().len(), 3);
    assert_eq!(post(6, "token").await.problem(), "rate_limited");
    assert_eq!(app.creates().len(), 5);
}

#[tokio::test]
async fn the_service_is_asked_only_where_a_proof_is_needed() {
    let service = CaptchaService::start().await;
    let app = app("hcaptcha", &service)
        .set("challenge.required", "adaptive")
        .set("limits.address.burst", "3")
        .spawn()
        .await;
    let post = async |nth| app.sign_up(&form(nth, "h-captcha-response", "token")).await;
    for (nth, (status, body)) in [
        (500, json!({})),
        (200, codes("sitekey-secret-mismatch")),
        (200, codes("invalid-input-response")),
    ]
    .into_iter()
    .enumerate()
    {
        service.responds(status, &body);
        assert_eq!(post(nth).await.status, StatusCode::CREATED);
    }
    assert!(service.requests().is_empty());
    // Beyond the limit of the address a valid token is needed.
    assert_eq!(post(3).await.problem(), "challenge_failed");
    service.responds(500, &json!({}));
    assert_eq!(post(4).await.problem(), "rate_limited");
    service.responds(200, &valid());
    assert_eq!(post(5).await.status, StatusCode::CREATED);
    assert_eq!(service.requests().len(), 3);
    assert_eq!(app.metric("challenge_fail_open_total").await, 0);
    // A form that looks automated needs one too.
    service.responds(200, &codes("invalid-input-response"));
    let robot = with_member(form(9, "h-captcha-response", "token"), "subject", "x");
    assert_eq!(app.sign_up(&robot).await.problem(), "challenge_failed");
}

#[tokio::test]
async fn a_limit_that_a_captcha_lifts_advises_to_solve_it() {
    let service = CaptchaService::start().await;
    let app = app("hcaptcha", &service)
        .set("challenge.required", "adaptive")
        .set("limits.address.burst", "1")
        .spawn()
        .await;
    let robot = with_member(form(0, "h-captcha-response", ""), "subject", "x");
    let required = app.sign_up(&robot).await;
    assert_eq!(required.problem(), "challenge_required");
    assert_eq!(app.sign_up(&form(1, "h-captcha-response", "")).await.status, StatusCode::CREATED);
    let limited = app.sign_up(&form(2, "h-captcha-response", "")).await;
    assert_eq!(limited.problem(), "rate_limited");
    assert_eq!(limited.json()["challenge"], "/signup/challenge");
    assert_eq!(limited.json()["advice"], required.json()["advice"]);
}

#[tokio::test]
async fn failed_tokens_have_a_limit_and_valid_ones_do_not_count() {
    let service = CaptchaService::start().await;
    let app = app("turnstile", &service)
        .set("http.trusted_proxies", "127.0.0.1")
        .set("limits.failed_captchas.burst", "3")
        .set("limits.failed_captchas.per_hour", "1")
        .set("limits.exempt", "198.51.100.0/24")
        .spawn()
        .await;
    let post = async |nth: usize, from: &str| {
        let form = form(nth, "cf-turnstile-response", &format!("token-{nth}"));
        app.sign_up_from(from, &form).await
    };
    service.responds(200, &valid());
    for nth in 0..5 {
        assert_eq!(post(nth, "192.0.2.1").await.status, StatusCode::CREATED);
    }
    service.responds(200, &codes("invalid-input-response"));
    for nth in 10..13 {
        assert_eq!(post(nth, "192.0.2.1").await.problem(), "challenge_failed");
    }
    let asked = service.requests().len();
    for nth in 20..30 {
        let response = post(nth, "192.0.2.1").await;
        assert_eq!(response.problem(), "rate_limited");
        assert!(response.header("retry-after").is_some());
    }
    assert_eq!(service.requests().len(), asked, "the service is not asked");
    for nth in 40..45 {
        assert_eq!(post(nth, "198.51.100.7").await.problem(), "challenge_failed", "exempt");
    }
    assert_eq!(post(30, "192.0.2.2").await.problem(), "challenge_failed");
    // A /48 has eight times as many, from whichever of its networks.
    let mut failed = 0;
    for nth in 100..160 {
        let response = post(nth, &format!("2001:db8:7:{nth:x}::1")).await;
        failed += usize::from(response.problem() == "challenge_failed");
    }
    assert_eq!(failed, 24);
    // A /32 has 32 times as many, from whichever of its /48s.
    let mut failed = 0;
    for nth in 200..320 {
        let response = post(nth, &format!("2001:db9:{:x}::1", nth % 60)).await;
        failed += usize::from(response.problem() == "challenge_failed");
    }
    assert_eq!(failed, 96);
}

#[tokio::test]
async fn an_address_whose_tokens_failed_does_not_wait_for_those_of_its_neighbours() {
    let service = CaptchaService::start().await;
    let app = app("turnstile", &service)
        .set("http.trusted_proxies", "127.0.0.1")
        .set("limits.failed_captchas.burst", "1")
        .set("limits.failed_captchas.per_hour", "1")
        .set("challenge.captcha.timeout_ms", "9000")
        .spawn()
        .await;
    let post = async |nth: usize, from: &str| {
        let form = form(nth, "cf-turnstile-response", &format!("token-{nth}"));
        app.sign_up_from(from, &form).await
    };
    let neighbours = [("192.0.2.1", "192.0.2.2"), ("2001:db8:7:1::1", "2001:db8:7:2::1")];
    for (address, neighbour) in neighbours {
        service.responds(200, &codes("invalid-input-response"));
        assert_eq!(post(1, address).await.problem(), "challenge_failed");
        service.stops_responding();
        let asked = service.requests().len();
        let verified = post(2, neighbour);
        let limited = async {
            eventually("the neighbour's token is being verified", async || {
                (service.requests().len() > asked).then_some(())
            })
            .await;
            post(3, address).await
        };
        tokio::select! {
            biased;
            response = verified => panic!("{response:?} came first"),
            response = limited => assert_eq!(response.problem(), "rate_limited"),
        }
        assert_eq!(service.requests().len(), asked + 1);
    }
}

/// A lecture hall behind one address.
#[tokio::test]
async fn concurrent_valid_tokens_of_an_address_all_pass() {
    let service = CaptchaService::start().await;
    service.responds(200, &valid());
    let app = app("turnstile", &service).set("limits.failed_captchas.burst", "3").spawn().await;
    let mut people = JoinSet::new();
    for nth in 0..12 {
        let form = form(nth, "cf-turnstile-response", &format!("token-{nth}"));
        let post = app.post().json(&form);
        people.spawn(async move { TestResponse::receive(post).await });
    }
    for response in people.join_all().await {
        assert_eq!(response.status, StatusCode::CREATED);
    }
    assert_eq!(service.requests().len(), 12);
}

#[tokio::test]
async fn the_challenge_names_the_service_and_its_public_key_only() {
    let service = CaptchaService::start().await;
    let app = app("turnstile", &service).spawn().await;
    let challenge = app.get("/signup/challenge").await;
    assert_eq!(
        challenge.json(),
        json!({"required": true, "kind": "turnstile", "site_key": "site"})
    );
}

#[tokio::test]
async fn the_captcha_service_is_asked_through_the_proxy_of_the_environment() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let app = TestApp::builder()
        .set("challenge.required", "always")
        .captcha("turnstile")
        .variable("HTTPS_PROXY", &address)
        .spawn()
        .await;
    let connect = async {
        let (mut socket, _) = proxy.accept().await.unwrap();
        let mut head = [0; 100];
        let length = socket.read(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    };
    let form = form(1, "cf-turnstile-response", "token");
    let (response, connect) = tokio::join!(app.sign_up(&form), connect);
    assert!(connect.starts_with("CONNECT challenges.cloudflare.com:443 "), "{connect}");
    assert_eq!(response.problem(), "challenge_unavailable");
}

/// A captcha service on TLS, with a certificate that no system trusts, and the file of its authority.
async fn service_on_tls() -> (Emulator, String, TempDir) {
    let service = Emulator::builder().tls(true).start().await.unwrap();
    service.fault(Route::Token, Fault::answer(200).body(valid().to_string()).always());
    let folder = TempDir::new();
    std::fs::write(folder.path().join("ca.pem"), service.ca_pem().unwrap()).unwrap();
    let url = format!("{}/oauth/token", service.tls_url().unwrap());
    (service, url, folder)
}

#[tokio::test]
async fn the_authorities_of_ca_file_are_trusted_for_the_service_too() {
    let (service, url, folder) = service_on_tls().await;
    let plain = CaptchaService::start().await;
    let ca = folder.path().join("ca.pem");
    let app = app("turnstile", &plain).set("challenge.captcha.verify_url", &url);
    let app = app.set("auth0.ca_file", ca.to_str().unwrap()).spawn().await;
    let signed_up = app.sign_up(&form(1, "cf-turnstile-response", "token")).await;
    assert_eq!(signed_up.status, StatusCode::CREATED, "{signed_up:?}");
    assert_eq!(service.calls(Route::Token).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn blanks_in_the_variable_for_certificates_mean_what_they_mean_in_a_setting() {
    let (service, url, folder) = service_on_tls().await;
    let tenant = Emulator::builder().start().await.unwrap();
    let path = format!(" {} ", folder.path().join("ca.pem").display());
    for (certificates, status) in [("", 503), (" ", 503), (&path, 201)] {
        let own =
            [("SSL_CERT_FILE", certificates), ("SIGNUP__CHALLENGE__CAPTCHA__VERIFY_URL", &url)];
        let process = Process::start(&tenant, &[&CAPTCHA[..], &own].concat()).await;
        let response = process.post(&form(1, "cf-turnstile-response", "token")).send().await;
        assert_eq!(response.unwrap().status().as_u16(), status, "{certificates:?}");
    }
    assert_eq!(service.calls(Route::Token).len(), 1);
}

#[tokio::test]
async fn a_request_that_ends_during_its_admission_has_sent_nothing() {
    let service = CaptchaService::start().await;
    let app = app("hcaptcha", &service)
        .set("challenge.captcha.timeout_ms", "9000")
        .set("auth0.timeout_ms", "500")
        .set("auth0.budget.max_wait_ms", "100")
        .set("http.request_timeout_ms", "1000")
        .spawn()
        .await;
    let response = app.sign_up(&form(1, "h-captcha-response", "token")).await;
    assert_eq!(response.problem(), "upstream_unavailable", "{response:?}");
    assert!(app.creates().is_empty() && app.attempts().await.is_empty());
}
