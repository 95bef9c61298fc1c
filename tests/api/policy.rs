//! `GET /signup/policy`, from which front ends build forms.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, IF_NONE_MATCH, ORIGIN};
use serde_json::{Value, json};

use crate::app::{TestApp, TestResponse};
use crate::temp_dir::TempDir;

#[tokio::test]
async fn the_schema_has_every_member_of_the_policy() {
    let app = TestApp::spawn().await;
    let policy = app.get("/signup/policy").await.json();
    let schema = &app.get("/openapi.json").await.json()["components"]["schemas"]["Policy"];
    let names = |object: &Value| -> Vec<String> {
        let mut names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(&schema["properties"]), names(&policy));
    assert_eq!(names(&schema["example"]), names(&policy));
}

#[tokio::test]
async fn a_form_can_be_built_from_the_policy() {
    let app = TestApp::builder()
        .set("fields.nickname", "off")
        .set("fields.username", "required")
        .set("user_metadata.allow", "plan")
        .set("password.policy", "excellent")
        .spawn()
        .await;
    let policy = app.get("/signup/policy").await;
    assert_eq!(policy.status, StatusCode::OK);
    let policy = policy.json();
    let fields = policy["fields"].as_object().unwrap();
    assert!(!fields.contains_key("nickname") && !fields.contains_key("phone_number"), "{fields:?}");
    assert_eq!(
        fields["given_name"],
        json!({
            "label": "First name",
            "type": "string",
            "required": false,
            "min_length": 1,
            "max_length": 150,
        })
    );
    assert_eq!(fields["username"]["required"], true);
    assert_eq!(fields["email"]["format"], "email");
    assert_eq!(
        policy["user_metadata"],
        json!({"plan": {
            "label": "Plan",
            "type": "string",
            "required": false,
            "min_length": 1,
            "max_length": 500,
        }})
    );
    let password = &policy["password"];
    assert_eq!(password["policy"], "excellent");
    assert_eq!(password["min_length"], 10);
    assert_eq!(password["max_bytes"], 72);
    assert_eq!(password["character_types"], json!(["lowercase", "uppercase", "number", "special"]));
    assert_eq!(password["rule"], "three_of_four");
    assert_eq!(password["identical_characters"], "block");
    let codes: Vec<_> = password["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["password.too_short", "password.character_types", "password.repeated_characters",]
    );
    assert_eq!(policy["challenge"]["endpoint"], "/signup/challenge");
    assert_eq!(policy["existence"], "reveal");
    let languages = policy["languages"].as_array().unwrap();
    assert_eq!(languages.len(), auth0_signup::texts::Locale::ALL.len());
    assert!(["en", "pt-BR", "zh-Hans", "ar"].iter().all(|tag| languages.contains(&json!(tag))));
}

#[tokio::test]
async fn the_document_names_the_language_and_the_direction_that_its_texts_have() {
    let app = TestApp::spawn().await;
    // Danish is not among the languages.
    for (tags, expected) in [("ar", ["ar", "rtl"]), ("de-AT", ["de", "ltr"]), ("da", ["en", "ltr"])]
    {
        let request = app.client.get(app.url("/signup/policy")).header(ACCEPT_LANGUAGE, tags);
        let policy = TestResponse::receive(request).await.json();
        assert_eq!([&policy["language"], &policy["direction"]], expected, "{tags}");
    }
}

#[tokio::test]
async fn labels_and_script_texts_are_in_the_language_of_the_document() {
    let folder = TempDir::new();
    let file = folder.file(
        "settings.toml",
        "[user_metadata.keys.\"team size\"]\ntype = \"string\"\nvalues = [\"s\", \"l\"]\n\
         [user_metadata.keys.plan]\ntype = \"string\"\n\
         [user_metadata.keys.age]\ntype = \"integer\"\nmin = 18\n\
         [page.labels]\nplan = \"Tariff\"\n\"team size\" = { de = \"Größe\", en = \"Size\" }\n\
         [page.options.\"team size\"]\ns = { en = \"Small\", de = \"Klein\" }\n",
    );
    let app = TestApp::builder().file(&file).spawn().await;
    let get = |path: &str, tags: &'static str| {
        TestResponse::receive(app.client.get(app.url(path)).header(ACCEPT_LANGUAGE, tags))
    };
    let german = get("/signup/policy", "de").await.json();
    assert_eq!(german["fields"]["given_name"]["label"], "Vorname");
    assert_eq!(german["texts"]["created"], "Ihr Konto wurde erstellt.");
    let size = &german["user_metadata"]["team size"];
    assert_eq!(size["label"], "Größe");
    assert_eq!(size["options"], json!({"s": "Klein", "l": "l"}));
    assert_eq!(german["user_metadata"]["plan"]["label"], "Tariff");
    // A bound that is not set is absent.
    let age = json!({"label": "Age", "type": "integer", "required": false, "min": 18});
    assert_eq!(german["user_metadata"]["age"], age);
    // A language without its own label.
    let french = get("/signup/policy", "fr").await.json();
    assert_eq!(french["user_metadata"]["team size"]["label"], "Size");

    let page = get("/signup", "de").await.text;
    let id = "id=\"user_metadata-2\" name=\"user_metadata.team size\"";
    for shown in [id, ">Größe ", ">Tariff ", "<option value=\"s\">Klein</option>"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
}

#[tokio::test]
async fn confidential_settings_are_not_in_the_policy() {
    let app = TestApp::builder()
        .set("password.dictionary.active", "true")
        .set("password.dictionary.custom", "canary-word")
        .set("auth0.connection", "canary-connection")
        .spawn()
        .await;
    let policy = app.get("/signup/policy").await;
    assert_eq!(policy.status, StatusCode::OK);
    assert!(!policy.text.contains("canary"), "{}", policy.text);
}

#[tokio::test]
async fn the_policy_can_be_cached_and_read_from_every_origin() {
    let app = TestApp::spawn().await;
    let get =
        || app.client.get(app.url("/signup/policy")).header(ORIGIN, "https://anywhere.example");
    let first = TestResponse::receive(get()).await;
    let etag = first.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
    assert_eq!(first.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(first.header("access-control-allow-origin"), Some("*"));

    let again =
        TestResponse::receive(get().header(IF_NONE_MATCH, format!("\"other\", W/{etag}"))).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    assert_eq!(again.header("access-control-allow-origin"), Some("*"));

    let compressed = TestResponse::receive(get().header(ACCEPT_ENCODING, "gzip")).await;
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_ne!(compressed.header("etag"), Some(etag.as_str()));

    let german =
        TestResponse::receive(get().header(ACCEPT_LANGUAGE, "de").header(IF_NONE_MATCH, etag))
            .await;
    assert_eq!(german.status, StatusCode::OK);
    assert_eq!(german.header("content-language"), Some("de"));
    assert_eq!(german.json()["password"]["rules"][0]["message"], "Mindestens 8 Zeichen");
}
