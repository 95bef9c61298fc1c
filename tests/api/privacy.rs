//! Canary test: marked values pass through every outcome. The log, every response, the metrics and
//! every file that the process wrote are then searched for them.
//!
//! Runs the real binary at the most verbose log level.

use std::fs;
use std::path::Path;

use auth0_emulator::{DEFAULT_CLIENT_SECRET, Emulator, Fault, Route};
use reqwest::Client;
use serde_json::{Value, json};

use crate::process::Process;

const SECRET: &str = "canary-client-secret-4f7a";
const PASSWORD: &str = "Canary-Password-81";
/// The other personal values of the form, each marked.
const PERSONAL: [(&str, &str); 6] = [
    ("name", "Canaryname"),
    ("given_name", "Canarygiven"),
    ("family_name", "Canaryfamily"),
    ("nickname", "canarynick"),
    ("picture", "https://example.com/canarypicture.png"),
    ("phone_number", "+15550177123"),
];

/// The routes that sign users up, and the prefix of their users' addresses.
const ROUTES: [(&str, &str); 2] =
    [("/signup", "canary.mail"), ("/dbconnections/signup", "canary.lock")];

/// A marked form; each number is another user.
fn person(nth: usize) -> Value {
    let mut form = json!({"password": PASSWORD, "user_metadata": {"plan": "canaryplan"}});
    for (name, value) in PERSONAL {
        form[name] = value.into();
    }
    form["email"] = format!("canary.mail.{nth}@example.com").into();
    form
}

#[tokio::test]
async fn no_secret_or_personal_value_is_logged_returned_or_stored() {
    let auth0 = Emulator::builder().tenant(|tenant| tenant.client_secret = SECRET.into());
    let auth0 = auth0.start().await.unwrap();
    let settings = [
        ("AUTH0_CLIENT_SECRET", SECRET),
        ("SIGNUP__AUTH0__TIMEOUT_MS", "500"),
        ("SIGNUP__FIELDS__PHONE_NUMBER", "optional"),
        ("SIGNUP__USER_METADATA__ALLOW", "plan"),
        // All requests come from one address.
        ("SIGNUP__LIMITS__ADDRESS__BURST", "1000"),
        ("SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST", "1000"),
        ("RUST_LOG", "trace"),
    ];
    let mut process = Process::start(&auth0, &settings).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{}", process.address);
    let mut responses = Vec::new();
    // Each body goes to every route that signs users up.
    let mut post = async |body: String| {
        let sent = ROUTES.map(|(route, marked)| {
            let body = body.replace("canary.mail", marked);
            let request = client.post(format!("{base}{route}")).body(body);
            let request = request.header("content-type", "application/json");
            async move { request.send().await.unwrap().text().await.unwrap() }
        });
        let [first, second] = sent;
        let (first, second) = tokio::join!(first, second);
        responses.extend([first, second]);
    };

    post(person(0).to_string()).await;
    post(person(0).to_string()).await;
    let mut taken = person(0);
    taken["password"] = format!("{PASSWORD}!").into();
    post(taken.to_string()).await;

    let bearer = "canary-leak";
    let echo = json!({
        "statusCode": 400,
        "errorCode": format!("{PASSWORD} {bearer}"),
        "message": format!("invalid {} and {PASSWORD}", "canary.mail.1@example.com"),
    })
    .to_string();
    let faults = [
        Fault::answer(400).body(echo.clone()),
        Fault::answer(418).body(echo.clone()),
        Fault::answer(500).body(echo.clone()),
        Fault::answer(201).body(echo.clone()),
        Fault::answer(401).body(echo.clone()),
        Fault::answer(403).body(echo.clone()),
        Fault::answer(409).body(echo.clone()),
        Fault::answer(429).body(echo.clone()),
        Fault::answer(302).header("location", "https://example.com/canary-leak"),
        Fault::close(),
        Fault::reset(),
        Fault::truncated(),
        Fault::hang(),
    ];
    for (nth, fault) in faults.into_iter().enumerate() {
        auth0.fault(Route::CreateUser, fault.always());
        post(person(nth + 1).to_string()).await;
        auth0.clear_faults();
    }
    let mut broken = person(50);
    for (name, _) in PERSONAL {
        broken[name] = format!("{}\u{7}", broken[name].as_str().unwrap()).into();
    }
    broken["password"] = "Canary-".into();
    post(broken.to_string()).await;
    post(format!("{{\"email\":\"{}\",{}", "canary.mail.1@example.com", person(52))).await;
    for (name, value) in
        [("altcha", "canary-proof"), ("form_token", "canary-form"), ("subject", "canary-trap")]
    {
        let mut suspicious = person(53);
        suspicious[name] = value.into();
        post(suspicious.to_string()).await;
    }
    auth0.fault(Route::Token, Fault::answer(401).body(echo));
    auth0.revoke_tokens();
    post(person(52).to_string()).await;
    let metrics = client.get(format!("http://{}/metrics", process.admin)).send().await.unwrap();
    responses.push(metrics.text().await.unwrap());
    // Responses to created users contain their data, but no secret.
    let (created, responses): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| {
        response.contains("\"status\":\"created\"") || response.starts_with("{\"_id\":")
    });
    assert!(created.len() >= 4, "{created:?}");
    assert!(!created.iter().any(|response| response.contains(PASSWORD)), "{created:?}");

    process.terminate();
    let token = auth0.calls(Route::CreateUser)[0].header("authorization").unwrap().to_owned();
    let token = token.trim_start_matches("Bearer ").to_owned();
    let canaries = PERSONAL.map(|(_, value)| value.to_owned()).into_iter();
    let canaries = canaries.chain([SECRET, PASSWORD, bearer].map(str::to_owned)).chain([token]);
    let canaries: Vec<String> =
        canaries.chain(["canary".to_owned(), "Canary".to_owned()]).collect();
    for (where_, text) in files(process.folder()).into_iter().chain(
        responses.into_iter().enumerate().map(|(nth, text)| (format!("response {nth}"), text)),
    ) {
        for canary in &canaries {
            let found = text.lines().find(|line| line.contains(canary.as_str()));
            assert!(found.is_none(), "{canary} in {where_}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_captcha_token_goes_only_to_its_service() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let settings = [
        ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
        ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile"),
        ("SIGNUP__CHALLENGE__CAPTCHA__SITE_KEY", "site"),
        ("SIGNUP__CHALLENGE__CAPTCHA__SECRET", "canary-captcha-secret"),
        ("SIGNUP__CHALLENGE__CAPTCHA__HOSTNAMES", "www.example.com"),
        // No server listens there.
        ("SIGNUP__CHALLENGE__CAPTCHA__VERIFY_URL", "http://127.0.0.1:1/siteverify"),
        ("SIGNUP__CHALLENGE__REQUIRED", "always"),
        ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
        ("RUST_LOG", "trace"),
    ];
    let mut process = Process::start(&auth0, &settings).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let mut form = json!({"email": "ada@example.com", "password": "Difference-Engine-1843"});
    form["cf-turnstile-response"] = "canary-captcha-token".into();
    let url = format!("http://{}/signup", process.address);
    let response = client.post(url).json(&form).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    let response = ("response".to_owned(), response.text().await.unwrap());
    process.terminate();
    let files = files(process.folder());
    let logged = files.iter().any(|(_, text)| text.contains("the captcha service is unavailable"));
    assert!(logged, "the log exists");
    for (where_, text) in files.iter().chain([&response]) {
        let found = text.lines().find(|line| line.contains("canary"));
        assert!(found.is_none(), "{where_}: {found:?}");
    }
}

/// Every file below the folder, as text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
    assert!(!found.is_empty());
    found
}
