//! Personal names: any text within the length that Auth0's schema allows.
//!
//! The limits are in the descriptors of the fields ([`Field`](super::Field)). Must not know how a
//! full name is composed, nor add any other rule for names.

use validator::ValidateLength;

use super::Violation;
use super::redacted::redacted_newtype;

/// A name, exactly as the person wrote it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonalName(String);

redacted_newtype!(PersonalName);

impl PersonalName {
    /// Accepts 1 to `max` code points, the unit that z-schema counts.
    ///
    /// # Errors
    ///
    /// [`Violation::Required`] for an empty text, [`Violation::TooLong`] for more than `max`.
    pub fn parse(text: &str, max: usize) -> Result<Self, Violation> {
        if text.is_empty() {
            return Err(Violation::Required);
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
    fn counts_code_points() {
        assert!(PersonalName::parse(&"😀".repeat(150), 150).is_ok());
        assert_eq!(
            PersonalName::parse(&"a".repeat(151), 150),
            Err(Violation::TooLong { max: 150 })
        );
        assert_eq!(PersonalName::parse("", 150), Err(Violation::Required));
    }

    proptest! {
        #[test]
        fn accepted_text_is_kept(text in any::<String>(), max in 0..40_usize) {
            let name = PersonalName::parse(&text, max);
            prop_assert_eq!(name.is_ok(), (1..=max).contains(&text.chars().count()));
            if let Ok(name) = name {
                prop_assert_eq!(name.as_ref(), text);
            }
        }
    }
}
