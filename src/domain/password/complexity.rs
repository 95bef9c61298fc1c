//! The rules about the password alone: length, character types, repeats and sequences.
//!
//! Implements npm `password-sheriff` 2.0 (`lib/rules`) and the presets and option mapping of npm
//! `auth0-password-policies` 3.1. Must not know dictionaries or profiles.
//!
//! The engine reads JavaScript strings, so it counts UTF-16 units. A character beyond the Basic
//! Multilingual Plane has two units and never counts as repeated, because its halves alternate.

use super::MAX_BYTES;
use super::settings::{CharacterTypeRule, Complexity, PolicyError, PolicyLevel};
use crate::domain::violation::{CharacterType, PasswordRule};

/// The longest allowed run of one character, or of a sequence, where runs are limited.
const MAX_RUN: usize = 2;

/// The rules in force.
#[derive(Debug)]
pub(super) struct ComplexityRules {
    /// The minimum length in UTF-16 units.
    pub(super) min_length: usize,
    /// The character types that count; empty if none is required.
    pub(super) types: Vec<CharacterType>,
    /// The required number of them.
    pub(super) type_rule: CharacterTypeRule,
    /// Rejects three identical characters in a row.
    pub(super) blocks_identical: bool,
    /// Rejects a sequence of three characters.
    pub(super) blocks_sequential: bool,
}

impl ComplexityRules {
    /// The rules of a level.
    pub(super) fn from_level(level: PolicyLevel) -> Self {
        let (min_length, types, type_rule): (_, &[_], _) = match level {
            PolicyLevel::None => (1, &[], CharacterTypeRule::All),
            PolicyLevel::Low => (6, &[], CharacterTypeRule::All),
            PolicyLevel::Fair => (
                8,
                &[CharacterType::Lowercase, CharacterType::Uppercase, CharacterType::Number],
                CharacterTypeRule::All,
            ),
            PolicyLevel::Good => (8, &CharacterType::ALL, CharacterTypeRule::ThreeOfFour),
            PolicyLevel::Excellent => (10, &CharacterType::ALL, CharacterTypeRule::ThreeOfFour),
        };
        Self {
            min_length,
            types: types.to_vec(),
            type_rule,
            blocks_identical: level == PolicyLevel::Excellent,
            blocks_sequential: false,
        }
    }

    /// The rules of a flexible policy (`createRulesFromOptions`).
    pub(super) fn from_complexity(complexity: &Complexity) -> Result<Self, PolicyError> {
        let types: Vec<_> = CharacterType::ALL
            .into_iter()
            .filter(|kind| complexity.character_types.contains(kind))
            .collect();
        let type_rule = complexity.character_type_rule;
        if type_rule == CharacterTypeRule::ThreeOfFour && types.len() < CharacterType::ALL.len() {
            return Err(PolicyError::ThreeOfFour);
        }
        Ok(Self {
            // A flexible policy without a minimum length has no length rule at all.
            min_length: 1,
            types,
            type_rule,
            blocks_identical: complexity.block_identical_characters,
            blocks_sequential: complexity.block_sequential_characters,
        })
    }

    /// The number of required types.
    pub(super) const fn required_types(&self) -> usize {
        match self.type_rule {
            CharacterTypeRule::All => self.types.len(),
            CharacterTypeRule::ThreeOfFour => 3,
        }
    }

    /// Lists every rule in force except the maximum length, in the form in which it is reported for
    /// a password that meets none.
    pub(super) fn list(&self) -> Vec<PasswordRule> {
        let mut rules = Vec::new();
        // An empty password is reported as `required`.
        if self.min_length > 1 {
            rules.push(PasswordRule::TooShort { min_length: self.min_length });
        }
        if !self.types.is_empty() {
            let (types, missing) = (self.types.clone(), self.types.clone());
            let required = self.required_types();
            rules.push(PasswordRule::CharacterTypes { required, types, missing });
        }
        if self.blocks_identical {
            rules.push(PasswordRule::RepeatedCharacters { max: MAX_RUN });
        }
        if self.blocks_sequential {
            rules.push(PasswordRule::SequentialCharacters { max: MAX_RUN });
        }
        rules
    }

    /// Adds every rule that `password` does not meet, in the engine's order.
    pub(super) fn check(&self, password: &str, unmet: &mut Vec<PasswordRule>) {
        if password.encode_utf16().count() < self.min_length {
            unmet.push(PasswordRule::TooShort { min_length: self.min_length });
        }
        let met = self.types.iter().filter(|kind| contains(password, **kind)).count();
        if met < self.required_types() {
            unmet.push(PasswordRule::CharacterTypes {
                required: self.required_types(),
                types: self.types.clone(),
                missing: self
                    .types
                    .iter()
                    .copied()
                    .filter(|kind| !contains(password, *kind))
                    .collect(),
            });
        }
        if self.blocks_identical && longest_repeat(password) > MAX_RUN {
            unmet.push(PasswordRule::RepeatedCharacters { max: MAX_RUN });
        }
        if self.blocks_sequential && longest_sequence(password) > MAX_RUN {
            unmet.push(PasswordRule::SequentialCharacters { max: MAX_RUN });
        }
        if password.len() > MAX_BYTES {
            unmet.push(PasswordRule::TooLong { max_bytes: MAX_BYTES });
        }
    }
}

/// Returns whether the password contains a character of this type (`lib/rules/contains.js`).
fn contains(password: &str, kind: CharacterType) -> bool {
    let is_of_type = |byte: u8| match kind {
        CharacterType::Lowercase => byte.is_ascii_lowercase(),
        CharacterType::Uppercase => byte.is_ascii_uppercase(),
        CharacterType::Number => byte.is_ascii_digit(),
        CharacterType::Special => byte == b' ' || byte.is_ascii_punctuation(),
    };
    password.bytes().any(is_of_type)
}

/// Returns the length of the longest run of one UTF-16 unit (`lib/rules/identicalChars.js`).
fn longest_repeat(password: &str) -> usize {
    let mut previous = None;
    let mut run = 0;
    let mut longest = 0;
    for unit in password.encode_utf16() {
        run = if previous == Some(unit) { run + 1 } else { 1 };
        longest = longest.max(run);
        previous = Some(unit);
    }
    longest
}

/// Returns the length of the longest run of ASCII letters or digits that rise, or fall, one by one
/// (`lib/rules/sequentialChars.js`). Cases do not mix: `aBc` is no run.
///
/// Counting bytes gives the same result as UTF-16 units, because any other character ends a run.
fn longest_sequence(password: &str) -> usize {
    let mut longest = 0;
    let mut run = 1;
    let mut direction = None;
    for pair in password.as_bytes().windows(2) {
        let step = match pair {
            [from, to] if from.is_ascii_alphanumeric() && to.is_ascii_alphanumeric() => {
                Some(i16::from(*to) - i16::from(*from)).filter(|step| step.abs() == 1)
            }
            _ => None,
        };
        run = match step {
            Some(_) if step == direction => run + 1,
            Some(_) => 2,
            None => 1,
        };
        direction = step;
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_in_utf16_units() {
        assert_eq!(longest_repeat("abbb"), 3);
        assert_eq!(longest_repeat("ééé"), 3);
        assert_eq!(longest_repeat("😀😀😀"), 1);
    }

    #[test]
    fn a_sequence_has_one_direction_and_one_case() {
        assert_eq!(longest_sequence("xabc"), 3);
        assert_eq!(longest_sequence("4321"), 4);
        assert_eq!(longest_sequence("aba"), 2);
        assert_eq!(longest_sequence("aBc"), 1);
        assert_eq!(longest_sequence("qwerty"), 1);
        assert_eq!(longest_sequence("ab-cd"), 2);
        assert_eq!(longest_sequence("@AB"), 2);
    }

    #[test]
    fn a_space_is_special_and_an_umlaut_has_no_type() {
        assert!(contains("a b", CharacterType::Special));
        assert!(CharacterType::ALL.into_iter().all(|kind| !contains("üÜ٣", kind)));
    }
}
