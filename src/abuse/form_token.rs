//! The signed token of the built-in page's forms. It holds the time at which the form was issued,
//! so that a form that is sent back at once can be recognised as a robot's.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::digest::{Digests, SubKey, SubKeys};

/// Length in bytes of the time, which is in milliseconds since the Unix epoch.
const TIME: usize = 8;
/// Length in bytes of the truncated signature: 128 bits.
const TAG: usize = 16;
/// Length of a token in characters.
const LENGTH: usize = (TIME + TAG) * 4 / 3;

/// Issues and checks tokens. A token is valid on every replica that has the same secret.
#[derive(Debug)]
pub struct FormTokens {
    keys: SubKeys,
    /// The ages that are accepted. `None`: any age.
    age: Option<RangeInclusive<Duration>>,
}

/// The fill time of a form according to its token, compared with the accepted ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FillTime {
    /// As long as a person takes.
    InTime,
    /// Shorter than a person takes.
    TooSoon,
    /// Longer than the settings accept.
    TooLate,
    /// Unknown: the token was not issued by this deployment.
    Forged,
}

impl FormTokens {
    /// Tokens signed with the secret of this deployment. `age` gives the ages that are accepted.
    pub fn new(digests: &Digests, age: Option<RangeInclusive<Duration>>) -> Self {
        Self { keys: digests.sub_keys("form token v1"), age }
    }

    /// Returns a token for a form that is issued now.
    pub fn issue(&self, now: Duration) -> String {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
        let signature = tag(&self.keys.current, millis);
        BASE64_URL_SAFE_NO_PAD.encode([millis.as_slice(), &signature].concat())
    }

    /// Returns a token for a form that is shown again. A person who has filled it in need not take as long again:
    ///
    /// - If `submitted`, the token that came with the form, was in time, the new one can be sent at once.
    /// - If `submitted` was too soon, it is returned, unless a clock that was ahead issued it: it would stay too soon
    ///   until that time.
    /// - The form of another site has no token. If it is shown for a `correction`, the new one can be sent at once.
    ///
    /// Any other form counts as new.
    pub fn reissue(&self, submitted: Option<&str>, correction: bool, now: Duration) -> String {
        let aged = |age: &RangeInclusive<Duration>| self.issue(now.saturating_sub(*age.start()));
        match (submitted.map(|token| (token, self.check(token, now))), &self.age) {
            (Some((_, FillTime::InTime)), Some(age)) => aged(age),
            (Some((token, FillTime::TooSoon)), _)
                if self.issued_at(token).is_some_and(|issued_at| issued_at <= now) =>
            {
                token.to_owned()
            }
            (None, Some(age)) if correction => aged(age),
            _ => self.issue(now),
        }
    }

    /// Returns whether this deployment issued a token, at any time.
    pub fn is_known(&self, token: &str) -> bool {
        self.issued_at(token).is_some()
    }

    /// Checks a token at this time.
    pub(super) fn check(&self, token: &str, now: Duration) -> FillTime {
        let Some(allowed) = &self.age else { return FillTime::InTime };
        let Some(issued_at) = self.issued_at(token) else { return FillTime::Forged };
        // If a replica whose clock is ahead issued it, its age is zero.
        match now.saturating_sub(issued_at) {
            age if age < *allowed.start() => FillTime::TooSoon,
            age if age > *allowed.end() => FillTime::TooLate,
            _ => FillTime::InTime,
        }
    }

    /// The time at which a token was issued; `None` if this deployment did not issue it.
    fn issued_at(&self, token: &str) -> Option<Duration> {
        if token.len() != LENGTH {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (millis, signature) = bytes.split_first_chunk::<TIME>()?;
        let known = self.keys.iter().any(|key| same(&tag(key, *millis), signature));
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

    fn tokens(current: &str, previous: Option<&str>) -> FormTokens {
        let previous = previous.map(|text| text.repeat(32).into());
        let digests = Digests::new(&current.repeat(32).into(), previous.as_ref());
        FormTokens::new(&digests, Some(SECOND..=HOUR))
    }

    #[test]
    fn a_form_is_in_time_between_the_two_ages() {
        let tokens = tokens("k", None);
        let token = tokens.issue(NOW);
        assert_eq!(token.len(), LENGTH);
        let after = |age| tokens.check(&token, NOW + age);
        assert_eq!(after(Duration::ZERO), FillTime::TooSoon);
        assert_eq!(after(SECOND), FillTime::InTime);
        assert_eq!(after(HOUR), FillTime::InTime);
        assert_eq!(after(HOUR + SECOND), FillTime::TooLate);
        assert_eq!(tokens.check(&token, Duration::ZERO), FillTime::TooSoon);
    }

    #[test]
    fn a_form_that_is_shown_again_need_not_be_filled_in_again() {
        let tokens = tokens("k", None);
        let first = tokens.issue(NOW);
        let check = |token: Option<&str>, correction, now| {
            tokens.check(&tokens.reissue(token, correction, now), now)
        };
        for correction in [true, false] {
            assert_eq!(check(Some(&first), correction, NOW + SECOND), FillTime::InTime);
            for strange in [&*first, "x", &tokens_of_another().issue(NOW)] {
                assert_eq!(check(Some(strange), correction, NOW), FillTime::TooSoon, "{strange:?}");
            }
            assert_eq!(
                check(Some(&first), correction, NOW + HOUR * 2),
                FillTime::TooSoon,
                "too late"
            );
        }
        let too_soon = tokens.reissue(Some(&first), true, NOW + SECOND / 2);
        assert_eq!(
            tokens.check(&too_soon, NOW + SECOND),
            FillTime::InTime,
            "a second since the first"
        );
        let ahead = tokens.reissue(Some(&tokens.issue(NOW + HOUR * 2)), true, NOW);
        assert_eq!(tokens.check(&ahead, NOW), FillTime::TooSoon);
        assert_eq!(tokens.check(&ahead, NOW + SECOND), FillTime::InTime, "the clock was ahead");
        assert_eq!(check(None, true, NOW), FillTime::InTime, "the form of another site");
        assert_eq!(check(None, false, NOW), FillTime::TooSoon);
    }

    fn tokens_of_another() -> FormTokens {
        tokens("l", None)
    }

    #[test]
    fn a_token_cannot_be_forged_or_changed_without_the_secret() {
        let tokens = tokens("k", None);
        let token = tokens.issue(NOW);
        let later = NOW + SECOND;
        for at in 0..token.len() {
            let mut changed = token.clone();
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert_eq!(tokens.check(&changed, later), FillTime::Forged, "{at}");
        }
        for forged in ["", "é", &token[1..], &format!("{token}A"), &tokens_of_another().issue(NOW)]
        {
            assert_eq!(tokens.check(forged, later), FillTime::Forged, "{forged}");
        }
    }

    #[test]
    fn the_previous_secret_is_accepted_and_without_an_age_every_token_is() {
        let before = tokens("k", None).issue(NOW);
        let rotated = tokens("l", Some("k"));
        assert_eq!(rotated.check(&before, NOW + SECOND), FillTime::InTime);
        let digests = Digests::new(&"k".repeat(32).into(), None);
        assert_eq!(FormTokens::new(&digests, None).check("x", NOW), FillTime::InTime);
    }
}
