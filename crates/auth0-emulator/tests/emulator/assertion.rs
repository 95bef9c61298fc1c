//! `private_key_jwt`: tokens for an application that signs an assertion instead of sending a
//! secret.

use std::time::{SystemTime, UNIX_EPOCH};

use auth0_emulator::Emulator;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client::{TestClient, with};

/// An application's key.
struct ApplicationKey(RsaKeyPair);

impl ApplicationKey {
    /// Generates a key.
    fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The public key in PEM.
    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// Signs an assertion with these claims.
    fn sign(&self, algorithm: &str, claims: &Value) -> String {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "PS256" => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let segment = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", segment(&json!({ "alg": algorithm })), segment(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The current time in seconds since 1970.
fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the assertion must be valid now")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Valid claims for `auth0`, with this `jti`.
fn claims(auth0: &Emulator, id: &str) -> Value {
    json!({"iss": "demo-client", "sub": "demo-client", "aud": format!("{}/", auth0.url()),
        "jti": id, "iat": now(), "exp": now() + 60})
}

/// The status of a token request with this assertion.
async fn status(client: &TestClient, auth0: &Emulator, assertion: &str) -> u16 {
    let grant = json!({
        "grant_type": "client_credentials",
        "audience": auth0.audience(),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    });
    client.request_token(&grant).await.status.as_u16()
}

#[tokio::test]
async fn an_assertion_is_accepted_once_and_only_if_valid() {
    let key = ApplicationKey::new();
    let pem = key.pem();
    let auth0 = Emulator::builder().tenant(|t| t.public_keys = vec![pem]).start().await.unwrap();
    let client = TestClient::new(&auth0);
    let good = key.sign("RS256", &claims(&auth0, "1"));
    assert_eq!(status(&client, &auth0, &good).await, 200);
    assert_eq!(status(&client, &auth0, &good).await, 401, "used a second time");
    let pss = key.sign("PS256", &claims(&auth0, "2"));
    assert_eq!(status(&client, &auth0, &pss).await, 200);
    for (id, wrong) in [
        ("issuer", json!({"iss": "other"})),
        ("subject", json!({"sub": "other"})),
        ("audience", json!({"aud": auth0.url()})),
        ("expired", json!({"exp": now() - 60})),
        ("too long", json!({"exp": now() + 400})),
        ("not yet", json!({"nbf": now() + 60})),
        ("no id", json!({"jti": null})),
    ] {
        let assertion = key.sign("RS256", &with(claims(&auth0, id), wrong));
        assert_eq!(status(&client, &auth0, &assertion).await, 401, "{id}");
    }
    let stranger = ApplicationKey::new().sign("RS256", &claims(&auth0, "3"));
    assert_eq!(status(&client, &auth0, &stranger).await, 401, "another key");
    let unsupported = key.sign("RS512", &claims(&auth0, "4"));
    assert_eq!(status(&client, &auth0, &unsupported).await, 401, "another algorithm");
}
