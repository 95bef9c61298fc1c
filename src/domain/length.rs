//! The length of a text in code points, the unit that Auth0 counts.

use std::ops::RangeInclusive;

use validator::ValidateLength as _;

use super::Violation;

/// The widest range of a username's length: `CreateUserRequestContent` of Auth0's Management API.
/// A connection may narrow it, and Auth0 checks the characters.
pub const USERNAME_LENGTHS: RangeInclusive<usize> = 1..=128;

/// Checks that the number of code points is within `bounds`.
///
/// # Errors
///
/// [`Violation::TooShort`] or [`Violation::TooLong`] with the bound that is not met.
pub fn check_length(text: &str, bounds: &RangeInclusive<usize>) -> Result<(), Violation> {
    let (min, max) = (*bounds.start(), *bounds.end());
    if !text.validate_length(u64::try_from(min).ok(), None, None) {
        return Err(Violation::TooShort { min });
    }
    if !text.validate_length(None, u64::try_from(max).ok(), None) {
        return Err(Violation::TooLong { max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_error_contains_the_bound_that_is_not_met() {
        assert_eq!(check_length("ada", &(3..=3)), Ok(()));
        assert_eq!(check_length("ab", &(3..=15)), Err(Violation::TooShort { min: 3 }));
        assert_eq!(check_length("abcd", &(1..=3)), Err(Violation::TooLong { max: 3 }));
    }

    proptest! {
        #[test]
        fn the_length_is_counted_in_code_points(
            text in any::<String>(),
            min in 0..9_usize,
            max in 0..40_usize,
        ) {
            let is_within = (min..=max).contains(&text.chars().count());
            prop_assert_eq!(check_length(&text, &(min..=max)).is_ok(), is_within);
        }
    }
}
