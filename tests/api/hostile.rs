//! Property tests of the endpoint: no body causes a panic, gets a 5xx or reaches Auth0 unvalidated.
//! The tenant's schema accepts what does reach it.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::StatusCode;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::app::TestApp;

const KINDS: [&str; 4] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=X",
    "text/plain",
];

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// Sends each generated body and checks the response. Returns the number of calls that created a user.
fn check(cases: u32, bodies: impl Strategy<Value = (usize, Vec<u8>)>) -> usize {
    let app = runtime().block_on(async {
        let builder = TestApp::builder().set("fields.phone_number", "optional");
        let builder = builder.set("user_metadata.allow", "plan,name,first");
        builder.auth0(|tenant| tenant.policy = auth0_emulator::PolicyPreset::None).spawn().await
    });
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&bodies, |(kind, body)| {
        let response = runtime().block_on(app.sign_up_raw(KINDS[kind], body));
        let status = response.status;
        let is_rejected = status.is_client_error()
            && !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        prop_assert!(status == StatusCode::CREATED || is_rejected, "{response:?}");
        Ok(())
    });
    run.unwrap();
    let answered: Vec<_> = app.creates().iter().filter_map(|call| call.status).collect();
    assert!(answered.iter().all(|status| matches!(status, 201 | 409)), "{answered:?}");
    answered.iter().filter(|status| **status == 201).count()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "email", "password", "given_name", "family_name", "name", "nickname", "picture",
            "username", "phone_number", "user_metadata", "user_metadata[plan]",
            "user_metadata.first", "idempotency_key", "terms", "connection", "email_verified",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z\\PC]{0,70}@[a-z\\PC]{1,20}\\.[a-z]{2,5}",
        "(https?|ftp)?:?/{0,2}[\\PC]{0,30}(\\.[a-z]{2,4})?(:[0-9]{0,6})?/[\\PC]{0,20}",
        "\\+[0-9]{0,17}",
        "[\\PC]{0,310}",
        " {0,3}Abcdefg1 {0,3}",
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        4 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name(), inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

#[test]
fn arbitrary_bytes() {
    check(300, (0..KINDS.len(), vec(any::<u8>(), 0..300)));
}

#[test]
fn arbitrary_json() {
    let members = vec((name(), json()), 0..8);
    let body = members.prop_map(|members| {
        let object: Map<String, Value> = members.into_iter().collect();
        (0, Value::Object(object).to_string().into_bytes())
    });
    check(500, body);
}

#[test]
fn forms_with_nearly_valid_values() {
    let required = ("[a-z]{1,8}@[a-z]{1,8}\\.(com|org)", "[\\PC]{1,72}");
    let optional = vec((name(), text()), 0..5);
    let body = (any::<bool>(), required, optional).prop_map(|(json, (email, password), more)| {
        let required = [("email".to_owned(), email), ("password".to_owned(), password)];
        let pairs = required.into_iter().chain(more);
        if json {
            let object: Map<String, Value> =
                pairs.map(|(name, value)| (name, value.into())).collect();
            (0, Value::Object(object).to_string().into_bytes())
        } else {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            (1, form.extend_pairs(pairs).finish().into_bytes())
        }
    });
    assert!(check(700, body) > 0, "no form was valid");
}

#[test]
fn broken_multipart() {
    let part = (name(), text(), prop::option::of("[a-z.\"\\\\]{0,8}"));
    let body = (vec(part, 0..6), prop::option::of((any::<prop::sample::Index>(), any::<u8>())));
    let body = body.prop_map(|(parts, damage)| {
        let mut body = Vec::new();
        for (name, value, file) in parts {
            let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
            let head = format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"{file}");
            body.extend_from_slice(format!("{head}\r\n\r\n{value}\r\n").as_bytes());
        }
        body.extend_from_slice(b"--X--\r\n");
        if let Some((at, byte)) = damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        (2, body)
    });
    check(500, body);
}
