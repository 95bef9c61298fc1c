//! The phone number: text that matches Auth0's pattern `^\+[0-9]{1,15}$`, without the characters
//! that people put between its digits.
//!
//! Owns that pattern. Must not know numbering plans: Auth0 checks the E.164 format only.

use super::Violation;
use super::invisible::is_invisible;

/// The maximum number of digits after the plus sign (ITU-T E.164).
const MAX_DIGITS: usize = 15;

/// Accepts a plus sign followed by 1 to 15 ASCII digits, with nothing between them.
///
/// # Errors
///
/// [`Violation::Malformed`] for anything else.
pub fn check(text: &str) -> Result<(), Violation> {
    let is_number = text.strip_prefix('+').is_some_and(|digits| {
        (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_number { Ok(()) } else { Err(Violation::Malformed) }
}

/// Parses a number as people write it, with blanks, dashes, dots, parentheses and invisible
/// characters between its digits.
///
/// # Errors
///
/// [`Violation::Malformed`] if no international number is left, or for `(0)`: whether the zero
/// belongs to the number depends on the country.
pub fn parse_typed(text: &str) -> Result<String, Violation> {
    let marks: String = text.chars().filter(|character| !is_blank(*character)).collect();
    if marks.contains("(0)") {
        return Err(Violation::Malformed);
    }
    let number: String = marks.chars().filter(|character| !is_separator(*character)).collect();
    check(&number).map(|()| number)
}

/// Returns whether nothing is seen of the character.
const fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_invisible(character)
}

/// Returns whether people write the character between digits.
const fn is_separator(character: char) -> bool {
    matches!(character, '-' | '.' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_and_up_to_fifteen_digits_are_accepted() {
        for text in ["+1", "+442079460000", "+123456789012345"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in ["", "+", "442079460000", "+1234567890123456", "+44 20", "+٤٤"] {
            assert_eq!(check(text), Err(Violation::Malformed), "{text}");
        }
    }

    #[test]
    fn what_people_write_between_digits_is_removed() {
        for text in [
            "+44 20 7946 0000",
            "+44-20-7946-0000",
            "+44.20.7946.0000",
            "+44 (20) 7946\u{a0}0000",
            "\u{202a}+44\u{2011}20\u{2013}79460000\u{202c}",
        ] {
            assert_eq!(parse_typed(text).unwrap(), "+442079460000", "{text}");
        }
        for text in [
            "020 7946 0000",
            "0044 20 7946 0000",
            "+44 (0)20 7946 0000",
            "+44 ( 0 ) 20 7946 0000",
            "+44 (\u{200b}0) 20 7946 0000",
            "+44 ext",
            "+ -",
        ] {
            assert_eq!(parse_typed(text), Err(Violation::Malformed), "{text}");
        }
    }
}
