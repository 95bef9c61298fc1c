//! The built-in page's signed token: when the form was given out, so that a form which comes back
//! at once is known to be a robot's.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ledger::{Digests, SubKey};

/// The bytes of the time, in milliseconds since the Unix epoch.
const TIME: usize = 8;
/// The bytes of the signature that are kept: 128 bits.
const TAG: usize = 16;
/// The characters of a token.
const LENGTH: usize = (TIME + TAG) * 4 / 3;

/// Makes and reads tokens. Good on every replica that has the same secret.
#[derive(Debug)]
pub struct FormToken {
    key: SubKey,
    previous: Option<SubKey>,
    /// `None`: ages are not looked at.
    age: Option<RangeInclusive<Duration>>,
}

/// What a token says of the form that it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillTime {
    /// In a time that a person takes.
    InTime,
    /// Sooner than a person can.
    TooSoon,
    /// So long ago that it says nothing any more.
    TooLate,
    /// The token is not one of ours.
    Forged,
}

impl FormToken {
    /// Tokens under the secret of this deployment; `age` is how old one may be.
    pub fn new(digests: &Digests, age: Option<RangeInclusive<Duration>>) -> Self {
        let (key, previous) = digests.sub_keys("form token v1");
        Self { key, previous, age }
    }

    /// A token for a form that is given out now.
    pub fn issue(&self, now: Duration) -> String {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
        let mut bytes = [0; TIME + TAG];
        let signed = millis.into_iter().chain(tag(&self.key, millis));
        for (byte, signed) in bytes.iter_mut().zip(signed) {
            *byte = signed;
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A token for a form that is given back to be corrected: whoever filled it in once need not
    /// take as long again. `submitted` is what came with the form.
    pub fn reissue(&self, submitted: Option<&str>, now: Duration) -> String {
        let known = submitted.is_some_and(|token| self.issued_at(token).is_some());
        let aged = self.age.as_ref().filter(|_| known).map_or(Duration::ZERO, |age| *age.start());
        self.issue(now.saturating_sub(aged))
    }

    /// What the token says at this time.
    pub fn read(&self, token: &str, now: Duration) -> FillTime {
        let Some(allowed) = &self.age else { return FillTime::InTime };
        let Some(issued_at) = self.issued_at(token) else { return FillTime::Forged };
        // A replica whose clock is ahead may have issued it: that is no age at all.
        match now.saturating_sub(issued_at) {
            age if age < *allowed.start() => FillTime::TooSoon,
            age if age > *allowed.end() => FillTime::TooLate,
            _ => FillTime::InTime,
        }
    }

    /// When a token of ours was issued.
    fn issued_at(&self, token: &str) -> Option<Duration> {
        if token.len() != LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (millis, signature) = bytes.split_first_chunk::<TIME>()?;
        let ours = |key: &SubKey| same(&tag(key, *millis), signature);
        let known = ours(&self.key) || self.previous.as_ref().is_some_and(ours);
        known.then(|| Duration::from_millis(u64::from_be_bytes(*millis)))
    }
}

/// The signature of a time.
fn tag(key: &SubKey, millis: [u8; TIME]) -> [u8; TAG] {
    let digest = key.digest([millis.as_slice()]);
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(500_000);
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_hours(1);

    fn tokens(current: &str, previous: Option<&str>) -> FormToken {
        let previous = previous.map(|text| text.repeat(32).into());
        let digests = Digests::new(&current.repeat(32).into(), previous.as_ref());
        FormToken::new(&digests, Some(SECOND..=HOUR))
    }

    #[test]
    fn a_form_takes_a_person_some_time_and_not_for_ever() {
        let tokens = tokens("k", None);
        let token = tokens.issue(NOW);
        assert_eq!(token.len(), LENGTH);
        let after = |age| tokens.read(&token, NOW + age);
        assert_eq!(after(Duration::ZERO), FillTime::TooSoon);
        assert_eq!(after(SECOND), FillTime::InTime);
        assert_eq!(after(HOUR), FillTime::InTime);
        assert_eq!(after(HOUR + SECOND), FillTime::TooLate);
        assert_eq!(tokens.read(&token, Duration::ZERO), FillTime::TooSoon);
    }

    #[test]
    fn a_corrected_form_may_come_back_at_once() {
        let tokens = tokens("k", None);
        let first = tokens.issue(NOW);
        let corrected = tokens.reissue(Some(&first), NOW + SECOND);
        assert_eq!(tokens.read(&corrected, NOW + SECOND), FillTime::InTime);
        for strange in [None, Some("x"), Some(&*tokens_of_another().issue(NOW))] {
            let token = tokens.reissue(strange, NOW);
            assert_eq!(tokens.read(&token, NOW), FillTime::TooSoon, "{strange:?}");
        }
    }

    fn tokens_of_another() -> FormToken {
        tokens("l", None)
    }

    #[test]
    fn no_token_can_be_made_or_changed_without_the_secret() {
        let tokens = tokens("k", None);
        let token = tokens.issue(NOW);
        let later = NOW + SECOND;
        for at in 0..token.len() {
            let mut changed = token.clone();
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert_eq!(tokens.read(&changed, later), FillTime::Forged, "{at}");
        }
        for forged in ["", "é", &token[1..], &format!("{token}A"), &tokens_of_another().issue(NOW)]
        {
            assert_eq!(tokens.read(forged, later), FillTime::Forged, "{forged}");
        }
    }

    #[test]
    fn the_previous_secret_is_still_known_and_no_age_looks_at_nothing() {
        let before = tokens("k", None).issue(NOW);
        let rotated = tokens("l", Some("k"));
        assert_eq!(rotated.read(&before, NOW + SECOND), FillTime::InTime);
        let digests = Digests::new(&"k".repeat(32).into(), None);
        assert_eq!(FormToken::new(&digests, None).read("x", NOW), FillTime::InTime);
    }
}
