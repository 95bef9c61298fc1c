//! The endpoint of the challenges: what it issues, to whom, and how many.

use auth0_signup::clock::{Clock as _, SystemClock};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{TestResponse, ada};
use crate::challenges::{builder, challenge, defaults, post_from};

#[tokio::test]
async fn a_foreign_page_gets_no_challenge_for_its_visitors() {
    let allowed = "https://www.example.com";
    let app = builder()
        .set("http.allowed_origins", allowed)
        .set("challenge.work.per_minute", "1")
        .spawn()
        .await;
    let get = async |headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(app.client.get(app.url("/signup/challenge")), |request, (name, value)| {
                request.header(*name, *value)
            });
        TestResponse::receive(request).await
    };
    for headers in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        // An image or a link.
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(get(headers).await.problem(), "origin_not_allowed");
    }
    let own = get(&[("origin", allowed), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(own.status, StatusCode::OK);
    // A program that is no browser.
    assert_eq!(get(&[]).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_site_has_eight_times_the_challenges_and_the_attempts_without_a_proof_of_an_address() {
    let app = defaults()
        .set("challenge.work.per_minute", "2")
        .set("challenge.adaptive.address_burst", "1")
        .set("challenge.adaptive.address_refill_ms", "86400000")
        .set("challenge.without_proof_per_hour", "1")
        .spawn()
        .await;
    let (mut issued, mut without_proof) = (0, 0);
    for n in 0..60 {
        let from = format!("2001:db8:7:{n:x}::1");
        issued += usize::from(challenge(&app, &from).await.status == StatusCode::OK);
    }
    assert!((16..=20).contains(&issued), "{issued}");
    for n in 0..60 {
        let response = post_from(&app, &format!("2001:db8:8:{n:x}::1"), n).await;
        without_proof += usize::from(response.status == StatusCode::CREATED);
    }
    // Eight cause no pressure on the site, and eight more need no proof.
    assert_eq!(without_proof, 16);
    assert_eq!(post_from(&app, "2001:db8:9::1", 99).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_block_has_32_times_the_challenges_of_an_address() {
    let app = defaults().set("challenge.work.per_minute", "1").spawn().await;
    let blocks: [fn(u8) -> String; 2] =
        [|n| format!("192.0.2.{n}"), |n| format!("2001:db8:{n:x}::1")];
    for address in blocks {
        let mut issued = 0;
        for n in 0..60 {
            let response = challenge(&app, &address(n)).await;
            issued += usize::from(response.status == StatusCode::OK);
        }
        // Two seconds bring one back.
        assert!((32..=45).contains(&issued), "{issued}");
    }
    assert_eq!(challenge(&app, "198.51.100.1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_block_has_a_part_of_the_line_for_challenges() {
    // A key takes a tenth of a second or more, so that most requests wait.
    let app = defaults().set("challenge.work.cost", "1000000").spawn().await;
    let ask = async |n| app.get_from(&format!("192.0.2.{n}"), "/signup/challenge").await;
    let mut rejected = 0;
    for response in join_all((0..120).map(ask)).await {
        match response.status {
            StatusCode::TOO_MANY_REQUESTS => rejected += 1,
            StatusCode::SERVICE_UNAVAILABLE => {
                assert_eq!(response.problem(), "challenge_unavailable");
            }
            status => assert_eq!(status, StatusCode::OK),
        }
        assert!(response.status == StatusCode::OK || response.header("retry-after").is_some());
    }
    // The exact number depends on the keys that are derived meanwhile.
    assert!(rejected > 0);
}

#[tokio::test]
async fn a_challenge_has_all_that_a_widget_needs_and_is_never_stored() {
    let app = builder().spawn().await;
    let before = SystemClock.now().as_secs();
    let response = challenge(&app, "192.0.2.1").await;
    let after = SystemClock.now().as_secs();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let challenge = response.json();
    assert_eq!(
        (&challenge["required"], &challenge["kind"]),
        (&json!(false), &json!("proof_of_work"))
    );
    let parameters = &challenge["parameters"];
    assert_eq!(parameters["algorithm"], "PBKDF2/SHA-256");
    assert_eq!(parameters["data"], json!({"use": "signup"}));
    let expires_at = parameters["expiresAt"].as_u64().unwrap();
    assert!((before + 600..=after + 600).contains(&expires_at), "{before} {expires_at}");
    assert_eq!(challenge["signature"].as_str().unwrap().len(), 64);
    assert!(
        challenge.get("challenge").is_none(),
        "the widget takes that member for the old format"
    );
    let options = TestResponse::receive(app.client.post(app.url("/signup/challenge"))).await;
    assert_eq!(options.problem(), "method_not_allowed");
}

#[tokio::test]
async fn the_challenges_of_an_address_are_limited() {
    let app = builder().set("challenge.work.per_minute", "1").spawn().await;
    assert_eq!(challenge(&app, "192.0.2.1").await.status, StatusCode::OK);
    let response = challenge(&app, "192.0.2.1").await;
    assert_eq!(response.problem(), "rate_limited");
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Sign-ups are not affected.
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
}
