//! The username: any text within the length that the connection allows.
//!
//! Owns the limits of Auth0's schema (1 to 128 code points). Must not know the connection's
//! narrower range or its allowed characters: the range is passed in, and Auth0 checks the
//! characters.

use std::ops::RangeInclusive;

use validator::ValidateLength;

use super::Violation;
use super::redacted::redacted_newtype;

/// A username, exactly as the person wrote it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

redacted_newtype!(Username);

impl Username {
    /// The widest range, in code points: `CreateUserRequestContent` of Auth0's Management API.
    pub const WIDEST: RangeInclusive<usize> = 1..=128;

    /// Accepts a number of code points within `bounds`.
    ///
    /// # Errors
    ///
    /// [`Violation::TooShort`] or [`Violation::TooLong`] with the bound that is not met.
    pub fn parse(text: &str, bounds: RangeInclusive<usize>) -> Result<Self, Violation> {
        let (min, max) = bounds.into_inner();
        if !text.validate_length(u64::try_from(min).ok(), None, None) {
            return Err(Violation::TooShort { min });
        }
        if !text.validate_length(None, u64::try_from(max).ok(), None) {
            return Err(Violation::TooLong { max });
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_error_contains_the_bound_that_is_not_met() {
        assert!(Username::parse("ada", 3..=3).is_ok());
        assert_eq!(Username::parse("ab", 3..=15), Err(Violation::TooShort { min: 3 }));
        assert_eq!(Username::parse("abcd", 1..=3), Err(Violation::TooLong { max: 3 }));
    }

    #[test]
    fn the_length_is_counted_in_code_points() {
        assert!(Username::parse(&"😀".repeat(128), Username::WIDEST).is_ok());
        assert!(Username::parse(&"a".repeat(129), Username::WIDEST).is_err());
    }

    proptest! {
        #[test]
        fn accepted_text_is_kept(text in any::<String>(), min in 0..9_usize, max in 0..40_usize) {
            let username = Username::parse(&text, min..=max);
            prop_assert_eq!(username.is_ok(), (min..=max).contains(&text.chars().count()));
            if let Ok(username) = username {
                prop_assert_eq!(username.as_ref(), text);
            }
        }
    }
}
