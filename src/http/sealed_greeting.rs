//! The name and the address on the page after a sign-up, sealed into its URL: without a cookie, and
//! without personal data in logs and histories.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::digest::{Digests, SubKey, SubKeys};
use crate::page::Greeting;

/// The time for which the page shows the greeting: long enough for a reload, too short for a link
/// that is found later.
const LIFETIME: Duration = Duration::from_mins(10);

/// The longest name that is shown, in code points. A longer one would make the URL too long.
const MAX_NAME: usize = 60;

/// Length in bytes of the time, which is in seconds since the Unix epoch.
const TIME: usize = 8;

/// Seals and opens greetings. One is valid on every replica that has the same secret.
#[derive(Debug)]
pub(super) struct SealedGreetings {
    keys: SubKeys,
}

impl SealedGreetings {
    /// Greetings sealed with the secret of this deployment.
    pub(super) fn new(digests: &Digests) -> Self {
        Self { keys: digests.sub_keys("success page v1") }
    }

    /// Seals a greeting at this time. Returns an empty text if that fails, which opens to an empty
    /// greeting.
    pub(super) fn seal(&self, greeting: &Greeting, now: Duration) -> String {
        let name =
            greeting.name.as_deref().map(|name| name.chars().take(MAX_NAME).collect::<String>());
        let content = json!([name, greeting.email]).to_string();
        let mut bytes = now.as_secs().to_be_bytes().to_vec();
        bytes.extend(content.into_bytes());
        let Some(key) = cipher(&self.keys.current) else { return String::new() };
        let Ok(nonce) = key.seal_in_place_append_tag(Aad::empty(), &mut bytes) else {
            return String::new();
        };
        let sealed: Vec<u8> = nonce.as_ref().iter().chain(&bytes).copied().collect();
        BASE64_URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a greeting. Returns an empty one if this deployment did not seal it, or long ago.
    pub(super) fn open(&self, sealed: &str, now: Duration) -> Greeting {
        let Ok(sealed) = BASE64_URL_SAFE_NO_PAD.decode(sealed) else { return Greeting::default() };
        self.keys.iter().find_map(|key| open(key, &sealed, now)).unwrap_or_default()
    }
}

fn open(key: &SubKey, sealed: &[u8], now: Duration) -> Option<Greeting> {
    let (nonce, bytes) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = bytes.to_vec();
    let opened = cipher(key)?.open_in_place(nonce.into(), Aad::empty(), &mut bytes).ok()?;
    let (time, content) = opened.split_first_chunk::<TIME>()?;
    let sealed_at = Duration::from_secs(u64::from_be_bytes(*time));
    if now.saturating_sub(sealed_at) > LIFETIME {
        return None;
    }
    let (name, email) = serde_json::from_slice(content).ok()?;
    Some(Greeting { name, email })
}

fn cipher(key: &SubKey) -> Option<RandomizedNonceKey> {
    let digest = key.digest([b"aes-256-gcm".as_slice()]);
    RandomizedNonceKey::new(&AES_256_GCM, digest.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(500_000);

    fn greetings(secret: &str, previous: Option<&str>) -> SealedGreetings {
        let previous = previous.map(|text| text.repeat(32).into());
        SealedGreetings::new(&Digests::new(&secret.repeat(32).into(), previous.as_ref()))
    }

    fn ada() -> Greeting {
        Greeting { name: Some("Ada".to_owned()), email: Some("ada@example.com".to_owned()) }
    }

    #[test]
    fn a_greeting_opens_for_ten_minutes_and_shows_nothing_in_the_url() {
        let greetings = greetings("k", None);
        let sealed = greetings.seal(&ada(), NOW);
        assert_eq!(greetings.open(&sealed, NOW + LIFETIME), ada());
        let late = NOW + LIFETIME + Duration::from_secs(1);
        assert_eq!(greetings.open(&sealed, late), Greeting::default());
        assert!(!sealed.contains("Ada") && sealed.len() < 200, "{sealed}");
        assert_ne!(sealed, greetings.seal(&ada(), NOW), "the nonce is random");
    }

    #[test]
    fn a_changed_or_foreign_greeting_is_empty_and_the_previous_secret_opens() {
        let sealed = greetings("k", None).seal(&ada(), NOW);
        assert_eq!(greetings("l", Some("k")).open(&sealed, NOW), ada());
        let last = if sealed.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &sealed[..sealed.len() - 1]);
        for text in ["", "x", "é", &sealed[..20], &format!("A{}", &sealed[1..]), &changed] {
            let opened = greetings("k", None).open(text, NOW);
            assert!(opened == Greeting::default() || *text == sealed, "{text}");
        }
        assert_eq!(greetings("l", None).open(&sealed, NOW), Greeting::default());
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = Greeting { name: Some("😀".repeat(300)), email: None };
        let greetings = greetings("k", None);
        let opened = greetings.open(&greetings.seal(&long, NOW), NOW);
        assert_eq!(opened.name.unwrap().chars().count(), MAX_NAME);
    }
}
