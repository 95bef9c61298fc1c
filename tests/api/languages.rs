//! The language of problems, field errors and pages.

use reqwest::header::ACCEPT_LANGUAGE;
use serde_json::json;

use crate::app::{TestApp, TestResponse, ada_with};

#[tokio::test]
async fn problems_are_in_the_language_of_the_browser() {
    let app = TestApp::spawn().await;
    let body = ada_with("password", "kurz").to_string();
    let request = app.post().header("content-type", "application/json").body(body);
    let response =
        TestResponse::receive(request.header(ACCEPT_LANGUAGE, "da, de-AT;q=0.9, en;q=0.8")).await;
    assert_eq!(
        response.errors(),
        [
            ("/password".to_owned(), "password.too_short".to_owned()),
            ("/password".to_owned(), "password.character_types".to_owned()),
        ]
    );
    let problem = response.json();
    assert_eq!(problem["title"], "Einige Felder sind ungültig");
    assert_eq!(problem["errors"][0]["message"], "Verwenden Sie mindestens 8 Zeichen.");
    assert_eq!(problem["errors"][0]["params"], json!({"min_length": 8}));
    assert_eq!(response.header("content-language"), Some("de"));
    let vary = response.headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    assert!(vary.flat_map(|value| value.split(", ")).any(|name| name == "accept-language"));
    assert_eq!(app.creates().len(), 0);
}

#[tokio::test]
async fn the_forms_languages_take_precedence_over_the_browsers() {
    let app = TestApp::spawn().await;
    let form = [("ui_locales", "da ja"), ("email", "ada@example.com")];
    let request = app.post().header(ACCEPT_LANGUAGE, "de").form(&form);
    let response = TestResponse::receive(request).await;
    assert_eq!(response.errors(), [("/password".to_owned(), "required".to_owned())]);
    assert_eq!(response.json()["errors"][0]["message"], "パスワードを入力してください。");
    assert_eq!(response.header("content-language"), Some("ja"));

    let request =
        app.client.get(app.url("/nowhere?ui_locales=es%20de")).header(ACCEPT_LANGUAGE, "de");
    let response = TestResponse::receive(request).await;
    assert_eq!(response.problem(), "not_found");
    assert_eq!(response.json()["detail"], "No hay nada en esta dirección.");
}

#[tokio::test]
async fn an_unavailable_language_falls_back_to_the_default() {
    let app = TestApp::builder().set("languages.default", "fr").spawn().await;
    let french = app.get("/nowhere").await;
    assert_eq!(french.json()["title"], "Introuvable");
    let request = app.client.get(app.url("/nowhere")).header(ACCEPT_LANGUAGE, "da, tlh;q=0.5");
    assert_eq!(TestResponse::receive(request).await.header("content-language"), Some("fr"));
    let request = app.client.get(app.url("/nowhere")).header(ACCEPT_LANGUAGE, "en;q=0.1");
    assert_eq!(TestResponse::receive(request).await.header("content-language"), Some("en"));
}

#[tokio::test]
async fn pages_have_the_direction_of_their_language() {
    let app = TestApp::spawn().await;
    let page = app.get("/signup?ui_locales=ar").await;
    assert_eq!(page.header("content-language"), Some("ar"));
    assert!(page.text.contains(r#"<html lang="ar" dir="rtl">"#), "{}", page.text);
    assert!(page.text.contains("إنشاء الحساب"), "{}", page.text);
}
