//! One form, three media types, one create-user call.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::app::{TestApp, TestResponse, ada, ada_with};
use crate::temp_dir::TempDir;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=X";

/// A complete form as pairs, and the create-user call that it must lead to.
fn complete_form() -> (Vec<(&'static str, &'static str)>, Value) {
    let pairs = vec![
        ("email", " Ada+x@EXAMPLE.com "),
        ("password", " pass Word 1843 "),
        ("given_name", "Ada"),
        ("family_name", " Lovelace\u{a0}"),
        ("name", "Ada, Countess of Lovelace"),
        ("nickname", ""),
        ("picture", "https://example.com/ada.png?a=b&c=d"),
        ("_charset_", "UTF-8"),
        ("invitation", "x"),
        ("go", "Sign up"),
        ("user_metadata[plan]", "pro"),
        ("user_metadata.seats", "5"),
    ];
    let create = json!({
        "connection": "Username-Password-Authentication",
        "email": "ada+x@example.com",
        "password": " pass Word 1843 ",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "name": "Ada, Countess of Lovelace",
        "picture": "https://example.com/ada.png?a=b&c=d",
        "user_metadata": {"plan": "pro", "seats": "5"},
    });
    (pairs, create)
}

async fn app() -> TestApp {
    let builder = TestApp::builder().set("fields.ignore", "go, cancel");
    builder.set("user_metadata.allow", "plan,seats").spawn().await
}

fn multipart(parts: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<String>() + "--X--\r\n"
}

#[tokio::test]
async fn json_leads_to_the_call() {
    let app = app().await;
    let (pairs, create) = complete_form();
    let mut form = json!({"user_metadata": {"plan": "pro", "seats": "5"}, "username": null});
    for (name, value) in pairs.into_iter().filter(|(name, _)| !name.starts_with("user_")) {
        form[name] = value.into();
    }
    let response = app.sign_up(&form).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.the_create(), create);
}

#[tokio::test]
async fn urlencoded_leads_to_the_same_call() {
    let app = app().await;
    let (pairs, create) = complete_form();
    let response = TestResponse::receive(app.post().form(&pairs)).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.the_create(), create);
}

#[tokio::test]
async fn multipart_leads_to_the_same_call() {
    let app = app().await;
    let (pairs, create) = complete_form();
    let body = multipart(&pairs).replace(
        "--X--",
        "--X\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\r\n--X--",
    );
    let response = app.sign_up_raw(MULTIPART, body).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(app.the_create(), create);
}

#[tokio::test]
async fn a_privileged_name_is_an_unknown_field() {
    let app = TestApp::spawn().await;
    for name in [
        "connection",
        "user_id",
        "email_verified",
        "verify_email",
        "blocked",
        "app_metadata",
        "client_id",
        "username",
        "phone_number",
        "is_admin",
    ] {
        for value in [json!(true), json!("x"), json!({}), json!(null)] {
            let expected = match (name, &value) {
                ("username" | "phone_number", Value::Null) => continue,
                _ => "unknown_field",
            };
            let response = app.sign_up(&ada_with(name, value.clone())).await;
            assert_eq!(response.errors(), [(format!("/{name}"), expected.to_owned())], "{value}");
        }
        let pairs = [("email", "a@example.com"), ("password", "Abcdefgh1"), (name, "true")];
        let response = TestResponse::receive(app.post().form(&pairs)).await;
        assert_eq!(response.errors(), [(format!("/{name}"), "unknown_field".to_owned())]);
    }
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_duplicate_name_is_an_error_in_every_format() {
    let app = app().await;
    let twice = [
        (
            "application/json",
            r#"{"email":"a@b.com","email":"c@d.com","password":"Abcdefgh1"}"#.to_owned(),
        ),
        (URLENCODED, "email=a%40b.com&email=c%40d.com&password=Abcdefgh1".to_owned()),
        (
            MULTIPART,
            multipart(&[("email", "a@b.com"), ("email", "c@d.com"), ("password", "Abcdefgh1")]),
        ),
    ];
    for (kind, body) in twice {
        let response = app.sign_up_raw(kind, body).await;
        assert_eq!(response.errors(), [("/email".into(), "duplicate_field".into())], "{kind}");
    }
    let builder = TestApp::builder().set("user_metadata.allow", "plan");
    let required = builder.set("user_metadata.keys.plan.required", "true").spawn().await;
    let both = r#"{"email":"a@b.com","password":"Abcdefgh1","user_metadata":{"plan":"1"},"user_metadata":{"plan":"1"}}"#;
    let response = required.sign_up_raw("application/json", both).await;
    assert_eq!(response.errors(), [("/user_metadata".into(), "duplicate_field".into())]);
    let nested =
        r#"{"email":"a@b.com","password":"Abcdefgh1","user_metadata":{"plan":"1","plan":"2"}}"#;
    let response = app.sign_up_raw("application/json", nested).await;
    assert_eq!(response.errors(), [("/user_metadata/plan".into(), "duplicate_field".into())]);
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn an_unreadable_body_is_malformed() {
    let app = TestApp::spawn().await;
    let bodies: [(&str, &[u8]); 17] = [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"null"),
        ("application/json", b"{\"email\":\"\\ud800\"}"),
        ("application/json", b"{\"email\":\"\xff\"}"),
        ("application/json", b"{} {}"),
        ("application/json", b"email=a"),
        (URLENCODED, b"email=%ff"),
        (URLENCODED, b"em\xffail=a"),
        // Sent without a `Content-Type` by curl, and with an `&` that is not encoded.
        (URLENCODED, b"{\"email\":\"ada@example.com\",\"password\":\"Difference=1843\"}"),
        (URLENCODED, b"[\"Difference-1843\"]"),
        (URLENCODED, b"email=ada@example.com&password=Engine&Difference"),
        (MULTIPART, b""),
        (MULTIPART, b"email=a"),
        (
            MULTIPART,
            b"--X\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n\xff\r\n--X--\r\n",
        ),
        ("multipart/form-data", b"--X--\r\n"),
    ];
    for (kind, body) in bodies {
        let response = app.sign_up_raw(kind, body.to_vec()).await;
        assert_eq!(response.problem(), "malformed_body", "{kind}: {body:?}");
        assert_eq!(response.status, StatusCode::BAD_REQUEST);
        assert!(!response.text.contains("Difference"), "{response:?}");
    }
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_blank_field_that_is_off_is_absent() {
    let app = TestApp::builder().set("fields.family_name", "off").spawn().await;
    let form = json!({
        "email": "ada@example.com", "password": "Difference-Engine-1843",
        "given_name": "Ada", "family_name": " ", "username": "",
    });
    assert_eq!(app.sign_up(&form).await.status, StatusCode::CREATED);
    let sent = app.creates()[0].json();
    assert!(sent.get("family_name").is_none() && sent.get("username").is_none(), "{sent}");
}

#[tokio::test]
async fn an_empty_form_gets_an_error_for_each_required_field() {
    let app = TestApp::spawn().await;
    for (kind, body) in [(URLENCODED, ""), (MULTIPART, "--X--\r\n"), ("application/json", "{}")] {
        let response = app.sign_up_raw(kind, body).await;
        let required = |pointer: &str| (pointer.to_owned(), "required".to_owned());
        assert_eq!(response.errors(), [required("/email"), required("/password")], "{kind}");
    }
}

#[tokio::test]
async fn other_media_types_charsets_and_codings_are_unsupported() {
    let app = TestApp::spawn().await;
    let body = ada().to_string();
    for kind in ["text/plain", "application/xml", "application/json; charset=latin1"] {
        let response = app.sign_up_raw(kind, body.clone()).await;
        assert_eq!(response.problem(), "unsupported_media_type", "{kind}");
        assert_eq!(response.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let form = |charset| [("_charset_", charset), ("email", "a@b.com"), ("password", "Abcdefgh1")];
    let urlencoded =
        |charset: &str| format!("_charset_={charset}&email=a%40b.com&password=Abcdefgh1");
    for charset in ["iso-8859-1", "windows-1252"] {
        let response = app.sign_up_raw(URLENCODED, urlencoded(charset)).await;
        assert_eq!(response.problem(), "unsupported_media_type", "{charset}");
        let response = app.sign_up_raw(MULTIPART, multipart(&form(charset))).await;
        assert_eq!(response.problem(), "unsupported_media_type", "{charset}");
    }
    assert!(app.creates().is_empty());
    for charset in ["", "utf-8"] {
        let response = app.sign_up_raw(URLENCODED, urlencoded(charset)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{charset}: {response:?}");
    }
    let none = TestResponse::receive(app.post().body(body.clone())).await;
    assert_eq!(none.problem(), "unsupported_media_type");
    let json = app.post().header(CONTENT_TYPE, "application/json");
    let coded = TestResponse::receive(json.header(CONTENT_ENCODING, "gzip").body(body)).await;
    assert_eq!(coded.problem(), "unsupported_media_type");
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large_with_and_without_a_length() {
    let app = TestApp::spawn().await;
    let large = "x".repeat(64 * 1024 + 1);
    let response = app.sign_up_raw("application/json", large.clone()).await;
    assert_eq!(response.problem(), "body_too_large");
    assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(large)]);
    let chunked = reqwest::Body::wrap_stream(chunks);
    let response = app.sign_up_raw("application/json", chunked).await;
    assert_eq!(response.problem(), "body_too_large");
    let parts: Vec<_> = (0..65).map(|_| ("a", "b")).collect();
    let response = app.sign_up_raw(MULTIPART, multipart(&parts)).await;
    assert_eq!(response.problem(), "body_too_large");
}

#[tokio::test]
async fn a_body_with_over_a_thousand_members_is_too_large() {
    let app = TestApp::spawn().await;
    let many = |count| "\"a\":0,".repeat(count);
    for (kind, body) in [
        (URLENCODED, "a=&".repeat(1_001)),
        ("application/json", format!("{{{}\"b\":0}}", many(1_000))),
        (
            "application/json",
            format!("{{\"user_metadata\":{{\"a\":[{{{}\"b\":0}}]}}}}", many(1_000)),
        ),
        ("application/json", format!("{{\"a\":[{}0]}}", "0,".repeat(1_000))),
    ] {
        let response = app.sign_up_raw(kind, body).await;
        assert_eq!(response.problem(), "body_too_large", "{kind}");
        assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let most = app.sign_up_raw(URLENCODED, "a=&".repeat(1_000)).await;
    assert_eq!(most.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_file_for_a_field_is_rejected() {
    let app = TestApp::spawn().await;
    let body = multipart(&[("email", "a@example.com"), ("password", "Abcdefgh1")]).replace(
        "--X--",
        "--X\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"me.png\"\r\n\
         Content-Type: image/png\r\n\r\nPNG\r\n--X--",
    );
    let response = app.sign_up_raw(MULTIPART, body).await;
    assert_eq!(response.errors(), [("/picture".into(), "not_allowed".into())]);
}

#[tokio::test]
async fn a_file_for_an_unknown_field_is_rejected_as_a_file() {
    let app = TestApp::spawn().await;
    for name in ["avatar", "user_metadata[photo]", "utf8", "$ACTION_1:0"] {
        let body = multipart(&[("email", "a@example.com"), ("password", "Abcdefgh1")]).replace(
            "--X--",
            &format!(
                "--X\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"me.png\"\r\n\
                 \r\nPNG\r\n--X--"
            ),
        );
        let errors = app.sign_up_raw(MULTIPART, body).await.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].1, "not_allowed", "{errors:?}");
    }
    let form = [("email", "a@example.com"), ("password", "Abcdefgh1"), ("state", "x")];
    let form = multipart(&form).replace("name=\"state\"", "name=\"state\"; filename=\"me.png\"");
    let request = app.client.post(app.url("/dbconnections/signup")).body(form);
    let response = TestResponse::receive(request.header(CONTENT_TYPE, MULTIPART)).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{response:?}");
    assert!(response.json()["description"].as_str().unwrap().contains("state"), "{response:?}");
    assert!(app.creates().is_empty());
}

#[tokio::test]
async fn a_hostile_form_gets_a_bounded_response() {
    let app = TestApp::spawn().await;
    let deep = "{\"😀😀😀😀😀😀😀😀😀😀\":".repeat(100);
    let names = "\"aaa\":0,".repeat(800);
    let nested = format!("{deep}{{{names}\"b\":0}}{}", "}".repeat(100));
    let many = (0..900).map(|nth| format!("\"k{nth}\":0,")).collect::<Vec<_>>().concat();
    let twice =
        (0..450).map(|nth| format!("\"k{nth}\":0,\"k{nth}\":0,")).collect::<Vec<_>>().concat();
    for body in [
        format!("{{\"user_metadata\":{nested},\"email\":5}}"),
        format!("{{\"user_metadata\":{{{many}\"b\":0}},\"email\":5}}"),
        format!("{{\"user_metadata\":{{{twice}\"b\":0}},\"email\":5}}"),
        format!("{{{many}\"email\":5}}"),
        format!("{{{twice}\"email\":5}}"),
    ] {
        assert!(body.len() < 64 * 1024, "{}", body.len());
        let response = app.sign_up_raw("application/json", body).await;
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(response.text.len() < 200_000, "{} bytes", response.text.len());
        let errors = response.errors();
        assert!(errors.len() <= 100);
        let email = ("/email".to_owned(), "wrong_type".to_owned());
        assert!(errors.contains(&email), "the error of a known field is still in the list");
    }
    let unknown: Value = (0..150).map(|nth| (format!("k{nth}"), json!(0))).collect();
    let request = app.post().header("idempotency-key", "short").json(&unknown);
    let errors = TestResponse::receive(request).await.errors();
    assert_eq!(errors.len(), 100);
    assert!(errors.iter().any(|(pointer, _)| pointer == "/idempotency_key"), "{errors:?}");
}

/// More names than a list of errors has.
#[tokio::test]
async fn ignored_names_hide_no_other_error() {
    let app = TestApp::builder().set("challenge.honeypot", "subject").spawn().await;
    let ignored = (0..150).map(|nth| format!("%24ACTION_{nth}=x&")).collect::<Vec<_>>().concat();
    let person = "email=ada@example.com&password=Difference-Engine-1843";
    let unknown = format!("{ignored}email_verified=true&{person}");
    let errors = app.sign_up_raw(URLENCODED, unknown).await.errors();
    assert_eq!(errors, [("/email_verified".to_owned(), "unknown_field".to_owned())]);
    let twice = format!("{ignored}{ignored}email=grace@example.com&{person}");
    let errors = app.sign_up_raw(URLENCODED, twice).await.errors();
    assert_eq!(errors, [("/email".to_owned(), "duplicate_field".to_owned())]);
    let trap = app.sign_up_raw(URLENCODED, format!("{ignored}subject=x&{person}")).await;
    assert_eq!(trap.status, StatusCode::FORBIDDEN, "{trap:?}");
    assert!(app.creates().is_empty());
    let inside = json!({
        "email": "ada@example.com", "password": "Difference-Engine-1843", "utf8": 1,
    });
    let inside = inside.to_string().replace("\"utf8\":1", r#""utf8":{"a":1,"a":2}"#);
    let inside = app.sign_up_raw("application/json", inside).await;
    assert_eq!(inside.status, StatusCode::CREATED, "{inside:?}");
    app.auth0.clear_journal();
    let person = "email=grace@example.com&password=Difference-Engine-1843";
    let only_ignored = app.sign_up_raw(URLENCODED, format!("{ignored}{person}")).await;
    assert_eq!(only_ignored.status, StatusCode::CREATED);
}

/// The forms of Rails, PHP, Next.js and others, with what they add by themselves.
#[tokio::test]
async fn forms_of_frameworks_sign_up_as_they_are() {
    let folder = TempDir::new();
    let news = "[user_metadata.keys.news]\ntype = \"boolean\"\n";
    let file = folder.file("settings.toml", news);
    let app = TestApp::builder().file(&file).set("fields.ignore", "utm_*").spawn().await;
    let hidden = "user_metadata[news]=0&user_metadata[news]=1";
    for (nth, (rest, news)) in [
        (
            format!("utf8=%E2%9C%93&authenticity_token=x&commit=Sign+up&_method=post&{hidden}"),
            Some(true),
        ),
        ("user_metadata[news]=1&user_metadata[news]=0".to_owned(), Some(false)),
        ("user_metadata[news]=&user_metadata[news]=1&terms=&terms=1".to_owned(), Some(true)),
        ("user_metadata[news]=1&user_metadata[news]=%20".to_owned(), None),
        ("user_metadata[news]=%E2%80%8B&user_metadata[news]=".to_owned(), None),
        (
            "%24ACTION_ID_7f=&%24ACTION_1%3A0=x&%24ACTION_KEY=k&user_metadata[news]=yes".to_owned(),
            Some(true),
        ),
        ("_csrf=x&utm_source=a&utm_medium=b&user_metadata[news]=on".to_owned(), Some(true)),
        ("_token=x&user_metadata=&user_metadata[news]=true".to_owned(), Some(true)),
        ("authenticity_token=x&authenticity_token=y&user_metadata=".to_owned(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!("email=u{nth}%40example.com&password=Difference-Engine-1843&{rest}");
        let response = app.sign_up_raw(URLENCODED, body).await;
        assert_eq!(response.status, StatusCode::CREATED, "{rest}: {}", response.text);
        let create = app.creates().last().unwrap().json();
        assert_eq!(create["user_metadata"]["news"].as_bool(), news, "{rest}: {create}");
    }
    let body = "email=x%40example.com&password=Difference-Engine-1843&user_metadata[news]=maybe&\
                user_metadata[news]=1&email=y%40example.com";
    let errors = app.sign_up_raw(URLENCODED, body).await.errors();
    let duplicate = |pointer: &str| (pointer.to_owned(), "duplicate_field".to_owned());
    assert_eq!(errors, [duplicate("/email"), duplicate("/user_metadata/news")]);
}
