//! Password rules, as checked by npm `password-sheriff`.

/// The longest run that the two run rules allow.
const LONGEST_RUN: usize = 2;

/// A set of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharacterSet {
    /// `a` to `z`.
    Lower,
    /// `A` to `Z`.
    Upper,
    /// `0` to `9`.
    Digits,
    /// A space, or one of the 32 ASCII punctuation characters.
    Special,
}

impl CharacterSet {
    /// Returns whether `password` contains a character of this set.
    pub(super) fn is_in(self, password: &str) -> bool {
        password.chars().any(|c| match self {
            Self::Lower => c.is_ascii_lowercase(),
            Self::Upper => c.is_ascii_uppercase(),
            Self::Digits => c.is_ascii_digit(),
            Self::Special => c == ' ' || c.is_ascii_punctuation(),
        })
    }
}

/// A rule of a password policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyRule {
    /// A minimum number of UTF-16 units.
    Length(usize),
    /// A character of each set.
    Contains(Vec<CharacterSet>),
    /// Characters of at least this many of the sets.
    ContainsAtLeast(usize, Vec<CharacterSet>),
    /// No character more than twice in a row.
    IdenticalChars,
    /// No more than two sequential letters or digits.
    SequentialChars,
    /// A maximum number of bytes.
    MaxBytes(usize),
}

impl PolicyRule {
    /// Returns whether `password` satisfies the rule.
    pub(crate) fn holds(&self, password: &str) -> bool {
        if password.is_empty() {
            return false;
        }
        match self {
            Self::Length(min) => password.encode_utf16().count() >= *min,
            Self::Contains(sets) => sets.iter().all(|set| set.is_in(password)),
            Self::ContainsAtLeast(min, sets) => {
                sets.iter().filter(|set| set.is_in(password)).count() >= *min
            }
            Self::IdenticalChars => longest_repeat(password) <= LONGEST_RUN,
            Self::SequentialChars => longest_sequence(password) <= LONGEST_RUN,
            Self::MaxBytes(max) => password.len() <= *max,
        }
    }
}

/// The length of the longest run of one UTF-16 unit.
fn longest_repeat(password: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    let mut before = None;
    for unit in password.encode_utf16() {
        run = if before == Some(unit) { run + 1 } else { 1 };
        before = Some(unit);
        longest = longest.max(run);
    }
    longest
}

/// The length of the longest ascending or descending sequence of letters or digits.
fn longest_sequence(password: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    let mut direction = 0;
    let mut before: Option<u16> = None;
    for unit in password.encode_utf16() {
        let step = match before {
            Some(before) if is_alphanumeric(before) && is_alphanumeric(unit) => {
                i32::from(unit) - i32::from(before)
            }
            _ => 0,
        };
        if step.abs() != 1 {
            (run, direction) = (1, 0);
        } else if step == direction {
            run += 1;
        } else {
            (run, direction) = (2, step);
        }
        before = Some(unit);
        longest = longest.max(run);
    }
    longest
}

/// Returns whether a UTF-16 unit is an ASCII letter or digit.
fn is_alphanumeric(unit: u16) -> bool {
    u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_utf16_units() {
        assert!(PolicyRule::Length(2).holds("😀"));
        assert!(!PolicyRule::Length(3).holds("😀"));
    }

    #[test]
    fn only_ascii_characters_count_in_a_set() {
        assert!(
            !CharacterSet::Upper.is_in("Ä")
                && !CharacterSet::Lower.is_in("ä")
                && !CharacterSet::Special.is_in("§")
        );
        assert!(
            CharacterSet::Special.is_in(" ")
                && CharacterSet::Special.is_in("~")
                && CharacterSet::Digits.is_in("a7")
        );
        assert!(!CharacterSet::Digits.is_in("٣"));
    }

    #[test]
    fn a_third_identical_character_breaks_the_rule() {
        assert!(PolicyRule::IdenticalChars.holds("aabbaa"));
        assert!(!PolicyRule::IdenticalChars.holds("baaab"));
    }

    #[test]
    fn sequences_ascend_descend_and_turn() {
        for (password, allowed) in [
            ("ab1", true),
            ("abc", false),
            ("x321", false),
            ("aba", true),
            ("abab21", true),
            ("a-b-c", true),
            ("yzA", true),
            ("89a", true),
        ] {
            assert_eq!(PolicyRule::SequentialChars.holds(password), allowed, "{password}");
        }
    }

    #[test]
    fn the_maximum_length_is_in_bytes() {
        assert!(PolicyRule::MaxBytes(72).holds(&"ä".repeat(36)));
        assert!(!PolicyRule::MaxBytes(72).holds(&"ä".repeat(37)));
    }
}
