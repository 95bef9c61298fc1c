//! The phone number: text that matches Auth0's pattern `^\+[0-9]{1,15}$`.
//!
//! Owns that pattern. Must not know numbering plans: Auth0 checks the E.164 format only.

use super::Violation;
use super::redacted::redacted_newtype;

/// The maximum number of digits after the plus sign (ITU-T E.164).
const MAX_DIGITS: usize = 15;

/// A phone number with its country code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

redacted_newtype!(PhoneNumber);

impl PhoneNumber {
    /// Accepts a plus sign followed by 1 to 15 ASCII digits, with nothing between them.
    ///
    /// # Errors
    ///
    /// [`Violation::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let is_number = text.strip_prefix('+').is_some_and(|digits| {
            (1..=MAX_DIGITS).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_number { Ok(Self(text.to_owned())) } else { Err(Violation::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plus_and_up_to_fifteen_digits_are_accepted() {
        for text in ["+1", "+442079460000", "+123456789012345"] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_ref(), text);
        }
        for text in ["", "+", "442079460000", "+1234567890123456", "+44 20", "+٤٤"] {
            assert_eq!(PhoneNumber::parse(text), Err(Violation::Malformed));
        }
    }

    proptest! {
        #[test]
        fn accepted_text_is_kept(text in r"\+?[0-9\PC]{0,17}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                prop_assert_eq!(number.as_ref(), text);
            }
        }
    }
}
