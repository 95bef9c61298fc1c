//! Every error of a form is reported at once, and nothing is sent to Auth0.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, ada, ada_with, with_member};
use crate::temp_dir::TempDir;

#[tokio::test]
async fn all_errors_are_reported_at_once_without_values() {
    let app = TestApp::spawn().await;
    let form = json!({
        "email": "ada@@canary.example",
        "password": "canary",
        "given_name": "canary\u{7}",
        "family_name": "y".repeat(151),
        "name": 5,
        "picture": "javascript:canary",
        "email_verified": true,
        "user_metadata": {"canary_key": "canary"},
    });
    let response = app.sign_up(&form).await;
    let mut errors = response.errors();
    errors.sort();
    let expected = [
        ("/email", "malformed"),
        ("/email_verified", "unknown_field"),
        ("/family_name", "too_long"),
        ("/given_name", "control_character"),
        ("/name", "wrong_type"),
        ("/password", "password.character_types"),
        ("/password", "password.too_short"),
        ("/picture", "malformed"),
        ("/user_metadata/canary_key", "unknown_field"),
    ];
    let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    assert_eq!(errors, expected);
    let without_the_name_of_the_key = response.text.replace("canary_key", "");
    assert!(!without_the_name_of_the_key.contains("canary"), "{}", response.text);
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_control_character_in_a_password_is_rejected_with_its_other_errors() {
    let app = TestApp::spawn().await;
    let response = app.sign_up(&ada_with("password", "Difference\u{0}Engine-1843")).await;
    assert_eq!(response.errors(), [("/password".into(), "control_character".into())]);
    let response = app.sign_up(&ada_with("password", "a\tb")).await;
    let codes: Vec<_> = response.errors().into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, ["control_character", "password.too_short", "password.character_types"]);
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn an_error_has_what_a_front_end_needs_for_its_own_message() {
    let app = TestApp::spawn().await;
    let response = app.sign_up(&ada_with("password", "abcdefg")).await;
    let expected = json!({
        "type": "urn:auth0-signup:problem:invalid_fields",
        "title": "Some fields are not valid",
        "status": 422,
        "detail": "Every invalid field is listed in errors.",
        "heading": "Please fix the following:",
        "code": "invalid_fields",
        "request_id": response.header("x-request-id"),
        "errors": [
            {
                "pointer": "/password",
                "field": "password",
                "code": "password.too_short",
                "message": "Use at least 8 characters.",
                "params": {"min_length": 8},
            },
            {
                "pointer": "/password",
                "field": "password",
                "code": "password.character_types",
                "message": "Use at least 3 of these: a lowercase letter, an uppercase letter, a number, \
                            a special character.",
                "params": {
                    "required": 3,
                    "types": ["lowercase", "uppercase", "number", "special"],
                    "missing": ["uppercase", "number", "special"],
                },
            },
        ],
    });
    assert_eq!(response.json(), expected);
}

#[tokio::test]
async fn text_is_trimmed_and_blanks_are_absent_but_a_password_is_unchanged() {
    let app = TestApp::spawn().await;
    let form = json!({
        "email": "\t Ada@Example.COM \n",
        "password": "  Abcdefgh1  ",
        "nickname": "  ",
        "given_name": " Ada ",
        "picture": null,
    });
    let response = app.sign_up(&form).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let expected = json!({
        "connection": "Username-Password-Authentication",
        "email": "ada@example.com",
        "password": "  Abcdefgh1  ",
        "given_name": "Ada",
        "name": "Ada",
    });
    assert_eq!(app.the_create(), expected);
}

#[tokio::test]
async fn an_absent_name_is_composed_unless_it_would_be_too_long() {
    let composed = |given: &'static str, family: String| async move {
        let app = TestApp::spawn().await;
        let mut form = ada_with("given_name", given);
        form["family_name"] = family.into();
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
        app.the_create().get("name").cloned()
    };
    assert_eq!(composed("Ada", "Lovelace".into()).await, Some(json!("Ada Lovelace")));
    assert_eq!(composed("", "Lovelace".into()).await, Some(json!("Lovelace")));
    assert_eq!(composed("", String::new()).await, None);
    // 150 + 1 + 150 code points is one more than Auth0 accepts.
    let longest: &'static str = Box::leak("y".repeat(150).into_boxed_str());
    assert_eq!(composed(longest, longest.to_owned()).await, None);

    let app = TestApp::builder().set("fields.name_order", "family_first").spawn().await;
    app.sign_up(&ada()).await;
    assert_eq!(app.the_create()["name"], "Lovelace Ada");

    // Without the setting the language decides.
    for (languages, name) in [("ja", "Lovelace Ada"), ("en", "Ada Lovelace")] {
        let app = TestApp::spawn().await;
        let form = ada_with("ui_locales", languages);
        app.sign_up(&form).await;
        assert_eq!(app.the_create()["name"], name, "{languages}");
    }

    let app = TestApp::builder().set("fields.compose_name", "false").spawn().await;
    app.sign_up(&ada()).await;
    assert_eq!(app.the_create().get("name"), None);
}

#[tokio::test]
async fn settings_decide_which_fields_are_required_or_off() {
    let builder = TestApp::builder().set("fields.nickname", "required");
    let builder = builder.set("fields.picture", "off").set("fields.username", "required");
    let builder = builder.set("fields.username_max_length", "5");
    let app = builder.auth0(|tenant| tenant.requires_username = true).spawn().await;
    let mut form = ada_with("picture", "https://example.com/a.png");
    form["username"] = "toolong".into();
    let errors = app.sign_up(&form).await.errors();
    let expected =
        [("/nickname", "required"), ("/picture", "unknown_field"), ("/username", "too_long")];
    assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));

    let form = with_member(ada_with("nickname", "ada"), "username", "ada");
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    assert_eq!(app.the_create()["username"], "ada");
}

#[tokio::test]
async fn lengths_are_counted_in_code_points() {
    let app = TestApp::spawn().await;
    let astral = |count: usize| "😀".repeat(count);
    let response = app.sign_up(&ada_with("given_name", astral(151))).await;
    assert_eq!(response.errors(), [("/given_name".into(), "too_long".into())]);
    assert_eq!(response.json()["errors"][0]["params"], json!({"max": 150}));
    let response = app.sign_up(&ada_with("given_name", astral(150))).await;
    assert_eq!(response.status, StatusCode::CREATED, "the tenant accepts it too: {response:?}");
}

#[tokio::test]
async fn a_password_of_more_than_72_bytes_is_rejected_rather_than_cut() {
    let app = TestApp::spawn().await;
    let password = format!("Ab1{}", "é".repeat(35));
    let response = app.sign_up(&ada_with("password", password)).await;
    assert_eq!(response.errors(), [("/password".into(), "password.too_long".into())]);
    assert_eq!(response.json()["errors"][0]["params"], json!({"max_bytes": 72}));
    let response = app.sign_up(&ada_with("password", format!("Ab1{}", "x".repeat(69)))).await;
    assert_eq!(response.status, StatusCode::CREATED);
}

#[tokio::test]
async fn metadata_keys_have_the_types_of_the_settings() {
    let folder = TempDir::new();
    let file = folder.file(
        "settings.toml",
        "[user_metadata]\nallow = [\"source\"]\n\
         [user_metadata.keys.plan]\ntype = \"string\"\nvalues = [\"free\", \"pro\"]\nrequired = true\n\
         [user_metadata.keys.seats]\ntype = \"integer\"\nmin = 1\nmax = 10\n\
         [user_metadata.keys.news]\ntype = \"boolean\"\n",
    );
    let app = TestApp::builder().file(&file).spawn().await;

    let bad = json!({"plan": "gold", "seats": 11, "news": "maybe", "source": 1});
    let rejected = app.sign_up(&ada_with("user_metadata", bad)).await;
    let mut errors = rejected.errors();
    errors.sort();
    let expected = [
        ("/user_metadata/news", "malformed"),
        ("/user_metadata/plan", "not_allowed"),
        ("/user_metadata/seats", "not_allowed"),
        ("/user_metadata/source", "wrong_type"),
    ];
    assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    let body = rejected.json();
    let reported = |pointer: &str| {
        let errors = body["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["pointer"] == pointer).unwrap();
        (error["params"].clone(), error["message"].as_str().unwrap().to_owned())
    };
    let (params, message) = reported("/user_metadata/plan");
    assert_eq!(params, json!({"values": ["free", "pro"]}));
    assert_eq!(message, "Choose one of these: free, pro.");
    let (params, message) = reported("/user_metadata/seats");
    assert_eq!(params, json!({"min": 1, "max": 10}));
    assert_eq!(message, "Enter a whole number from 1 to 10.");
    let missing = app.sign_up(&ada_with("user_metadata", json!({}))).await;
    assert_eq!(missing.errors(), [("/user_metadata/plan".into(), "required".into())]);

    let good = json!({"plan": "pro", "seats": 3, "news": true, "source": " ad "});
    let response = app.sign_up(&ada_with("user_metadata", good)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    let expected = json!({"plan": "pro", "seats": 3, "news": true, "source": "ad"});
    assert_eq!(app.the_create()["user_metadata"], expected);
}

#[tokio::test]
async fn an_empty_metadata_object_is_accepted_and_not_sent() {
    let app = TestApp::spawn().await;
    let response = app.sign_up(&ada_with("user_metadata", json!({}))).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(app.the_create().get("user_metadata"), None);
}

#[tokio::test]
async fn the_tenant_accepts_what_the_rules_accept() {
    let app = TestApp::builder().set("fields.picture_schemes", "any").spawn().await;
    let emails = [
        "\"quoted local\"@example.com",
        "zoë@example.com",
        "a@bücher.example",
        "o'hara+tag/dept=x}@sub.example.co.uk",
        &format!("{}@example.com", "x".repeat(64)),
    ];
    for email in emails {
        let response = app.sign_up(&ada_with("email", email)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{email}: {response:?}");
    }
    for (nth, picture) in
        ["ftp://example.com/a", "example.com/a.png", "http://[::1]:80/a"].iter().enumerate()
    {
        let form =
            with_member(ada_with("picture", *picture), "email", format!("p{nth}@example.com"));
        let response = app.sign_up(&form).await;
        assert_eq!(response.status, StatusCode::CREATED, "{picture}: {response:?}");
    }
    let responses: Vec<Value> = app.creates().iter().map(|entry| entry.status.into()).collect();
    assert!(responses.iter().all(|status| *status == 201), "{responses:?}");
}

#[tokio::test]
async fn what_nobody_sees_is_trimmed_and_rejected_inside_an_address() {
    let app = TestApp::builder().set("fields.given_name", "required").spawn().await;
    for invisible in [
        "\u{200b}",
        "\u{2060}",
        "\u{feff}",
        "\u{200f}",
        "\u{2068}",
        "\u{ad}",
        "\u{2800}",
        "\u{3000}",
        "\u{2009}",
        "\u{200a}",
        "\u{2028}",
        "\u{34f}",
        "\u{17b4}",
        "\u{fe0f}",
        "\u{e0041}",
    ] {
        let inside = ada_with("email", format!("a{invisible}da@example.com"));
        let errors = app.sign_up(&inside).await.errors();
        assert_eq!(errors, [("/email".to_owned(), "malformed".to_owned())], "{invisible:?}");
        let blank = ada_with("given_name", format!("{invisible} {invisible}"));
        let errors = app.sign_up(&blank).await.errors();
        assert_eq!(errors, [("/given_name".to_owned(), "required".to_owned())], "{invisible:?}");
    }
    let in_the_domain = ada_with("email", "ada@exam\u{fe0f}ple.com");
    assert_eq!(app.sign_up(&in_the_domain).await.errors()[0].1, "malformed");
    for email in [
        "\u{200b}ada@example.com\u{fe0f}\u{200f}",
        "ada@example.com \u{fe0f}",
        "\u{fe0f} \u{200b} ada@example.com \u{200b}\u{e0041} \u{fe0f}",
    ] {
        let app = TestApp::spawn().await;
        let form = with_member(ada_with("email", email), "given_name", "\u{2060}Ada\u{feff} ");
        assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED, "{email:?}");
        assert_eq!(app.the_create()["email"], "ada@example.com");
        assert_eq!(app.the_create()["given_name"], "Ada");
    }
}

#[tokio::test]
async fn a_phone_number_loses_what_people_write_between_its_digits() {
    let app = TestApp::builder().set("fields.phone_number", "optional").spawn().await;
    let national = ada_with("phone_number", "020 7946 0000");
    let errors = app.sign_up(&national).await.errors();
    assert_eq!(errors, [("/phone_number".to_owned(), "malformed".to_owned())]);
    let form = ada_with("phone_number", "\u{202a}+44 (20) 7946-0000\u{202c}");
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    assert_eq!(app.the_create()["phone_number"], "+442079460000");
}
