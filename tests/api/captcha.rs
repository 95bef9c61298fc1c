//! Captchas, judged by a service that answers as the real ones do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::form_urlencoded;

use crate::app::{TestApp, TestAppBuilder, ada_with};

/// A captcha service on loopback. `None` as an answer is silence.
struct Judge {
    url: String,
    answer: Arc<Mutex<Option<(u16, String)>>>,
    asked: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl Judge {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
        let judge = Self { url, answer: Arc::default(), asked: Arc::default() };
        let (answer, asked) = (Arc::clone(&judge.answer), Arc::clone(&judge.asked));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&asked)));
            }
        });
        judge
    }

    fn answers(&self, status: u16, body: &Value) {
        *self.answer.lock().unwrap() = Some((status, body.to_string()));
    }

    fn falls_silent(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn asked(&self) -> Vec<HashMap<String, String>> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers one connection's requests for as long as it sends them.
async fn serve(
    mut stream: TcpStream,
    answer: Arc<Mutex<Option<(u16, String)>>>,
    asked: Arc<Mutex<Vec<HashMap<String, String>>>>,
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
        asked.lock().unwrap().push(form_urlencoded::parse(&body).into_owned().collect());
        let Some((status, body)) = answer.lock().unwrap().clone() else {
            return std::future::pending().await;
        };
        let length = body.len();
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

const SECRET: &str = "canary-captcha-secret";

fn app(provider: &str, judge: &Judge) -> TestAppBuilder {
    TestApp::builder()
        .set("challenge.required", "always")
        .set("auth0_compat.enabled", "false")
        .set("challenge.captcha.provider", provider)
        .set("challenge.captcha.site_key", "site")
        .set("challenge.captcha.secret", SECRET)
        .set("challenge.captcha.verify_url", &judge.url)
        .set("challenge.captcha.hostnames", "www.example.com,example.org")
}

fn form(nth: usize, field: &str, token: &str) -> Value {
    let mut form = ada_with("email", format!("ada{nth}@example.com"));
    form[field] = token.into();
    form
}

fn passed() -> Value {
    json!({"success": true, "hostname": "www.example.com", "challenge_ts": "2026-09-01T00:00:00Z"})
}

fn codes(code: &str) -> Value {
    json!({"success": false, "error-codes": [code]})
}

#[tokio::test]
async fn each_service_is_asked_in_its_own_field_and_a_good_token_signs_up_once() {
    for (provider, field) in [
        ("turnstile", "cf-turnstile-response"),
        ("hcaptcha", "h-captcha-response"),
        ("recaptcha_v2", "g-recaptcha-response"),
    ] {
        let judge = Judge::start().await;
        judge.answers(200, &passed());
        let app = app(provider, &judge).spawn().await;
        let without = app.sign_up(&form(0, "altcha", "x")).await;
        assert_eq!(without.problem(), "challenge_required", "{provider}");
        assert!(judge.asked().is_empty());

        let token = "canary-token.1_x";
        assert_eq!(app.sign_up(&form(1, field, token)).await.status, StatusCode::CREATED);
        let asked = judge.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!((&*asked[0]["secret"], &*asked[0]["response"]), (SECRET, token));
        assert_eq!(asked[0].contains_key("sitekey"), provider == "hcaptcha");
        assert!(!asked[0].contains_key("remoteip"));
        assert!(!app.the_create().to_string().contains("canary-token"));

        // Whatever the service says the second time.
        let again = app.sign_up(&form(2, field, token)).await;
        assert_eq!(again.problem(), "challenge_failed");
        assert_eq!(app.creates().len(), 1);
    }
}

#[tokio::test]
async fn a_score_a_host_and_an_action_are_asked_for() {
    let judge = Judge::start().await;
    let app = app("recaptcha_v3", &judge)
        .set("challenge.captcha.action", "signup")
        .set("challenge.captcha.min_score_percent", "70")
        .spawn()
        .await;
    let good =
        json!({"success": true, "hostname": "example.org", "action": "signup", "score": 0.7});
    let refusals = [
        ("score", json!(0.69), "score"),
        ("score", Value::Null, "score"),
        ("action", json!("login"), "action"),
        ("hostname", json!("example.net"), "hostname"),
        ("hostname", Value::Null, "hostname"),
        ("success", json!(false), "refused"),
    ];
    for (nth, (member, value, _)) in refusals.iter().enumerate() {
        let mut answer = good.clone();
        answer[member] = value.clone();
        judge.answers(200, &answer);
        let form = form(nth, "g-recaptcha-response", &format!("token-{nth}"));
        assert_eq!(app.sign_up(&form).await.problem(), "challenge_failed", "{member}");
    }
    assert_eq!(app.creates().len(), 0);
    for (reason, count) in [("score", 2), ("action", 1), ("hostname", 2), ("refused", 1)] {
        let metric = format!("challenge_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&metric).await, count, "{reason}");
    }
    judge.answers(200, &good);
    let form = form(9, "g-recaptcha-response", "token");
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_wrong_secret_is_the_operators_and_a_wrong_token_the_persons() {
    let judge = Judge::start().await;
    let app =
        app("turnstile", &judge).set("challenge.captcha.on_unavailable", "allow").spawn().await;
    let post = async |token: &str| app.sign_up(&form(1, "cf-turnstile-response", token)).await;
    for status in [200, 400] {
        judge.answers(status, &codes("invalid-input-secret"));
        let answer = post("token").await;
        assert_eq!(answer.problem(), "challenge_unavailable");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        judge.answers(status, &codes("timeout-or-duplicate"));
        assert_eq!(post("token").await.problem(), "challenge_failed");
    }
    let asked = judge.asked().len();
    for token in ["x".repeat(2_049), "a b".to_owned(), "ä".to_owned()] {
        assert_eq!(post(&token).await.problem(), "challenge_failed");
    }
    assert_eq!(judge.asked().len(), asked, "what no service issues is not sent to one");
    assert_eq!(app.creates().len(), 0);
    assert_eq!(app.metric("challenge_unavailable_total{reason=\"misconfigured\"}").await, 2);
}

#[tokio::test]
async fn a_service_that_does_not_answer_closes_or_opens_by_setting() {
    for (fail, outcome) in [("reject", "challenge_unavailable"), ("allow", "created")] {
        let judge = Judge::start().await;
        let app = app("turnstile", &judge)
            .set("challenge.captcha.on_unavailable", fail)
            .set("challenge.captcha.timeout_ms", "300")
            .spawn()
            .await;
        for (nth, answer) in [None, Some(500), Some(302), Some(403)].into_iter().enumerate() {
            match answer {
                None => judge.falls_silent(),
                Some(status) => judge.answers(status, &json!("<html>")),
            }
            let form = form(nth, "cf-turnstile-response", &format!("token-{nth}"));
            let answer = app.sign_up(&form).await;
            match outcome {
                "created" => assert_eq!(answer.status, StatusCode::CREATED, "{nth}"),
                refused => assert_eq!(answer.problem(), refused, "{nth}"),
            }
        }
        let open = if fail == "open" { 4 } else { 0 };
        assert_eq!(app.metric("challenge_fail_open_total").await, open);
        assert_eq!(app.metric("challenge_unavailable_total{reason=\"captcha\"}").await, 4);
        // Open is for people: a robot that found the service down is one all the same.
        let mut robot = form(9, "cf-turnstile-response", "token");
        robot["subject"] = "x".into();
        assert_eq!(app.sign_up(&robot).await.problem(), "challenge_unavailable");
    }
}

#[tokio::test]
async fn in_calm_a_service_that_does_not_answer_stops_nobody() {
    let judge = Judge::start().await;
    let app = app("hcaptcha", &judge).set("challenge.required", "adaptive").spawn().await;
    for (nth, (status, body)) in
        [(500, json!({})), (200, codes("sitekey-secret-mismatch"))].into_iter().enumerate()
    {
        judge.answers(status, &body);
        let answer = app.sign_up(&form(nth, "h-captcha-response", "token")).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    assert_eq!(app.metric("challenge_fail_open_total").await, 0);
    judge.answers(200, &codes("invalid-input-response"));
    let answer = app.sign_up(&form(2, "h-captcha-response", "token")).await;
    assert_eq!(answer.problem(), "challenge_failed");
}

#[tokio::test]
async fn the_offer_names_the_service_and_its_public_key_alone() {
    let judge = Judge::start().await;
    let app = app("turnstile", &judge).spawn().await;
    let offer = app.get("/signup/challenge").await;
    assert_eq!(offer.json(), json!({"required": true, "kind": "turnstile", "site_key": "site"}));
}
