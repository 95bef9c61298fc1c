//! The five presets and the flexible policies, as in npm `auth0-password-policies`.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::dictionary::DictionaryOptions;
use super::rules::{CharacterSet, PolicyRule};
use super::stored_password::HASHED_BYTES;
use crate::tenant::Tenant;

/// All character sets, in the order used by the presets.
const ALL_SETS: [CharacterSet; 4] =
    [CharacterSet::Lower, CharacterSet::Upper, CharacterSet::Digits, CharacterSet::Special];

/// A preset password policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PolicyPreset {
    /// At least one character.
    None,
    /// At least six characters.
    Low,
    /// At least eight characters, with lower case, upper case and digits.
    Fair,
    /// At least eight characters of three of the four types.
    #[default]
    Good,
    /// At least ten characters of three of the four types, none more than twice in a row.
    Excellent,
}

impl PolicyPreset {
    /// The preset's name in Lock and the connections API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Fair => "fair",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }

    /// The preset's rules, with `min_length` in place of its own minimum if given.
    fn rules(self, min_length: Option<usize>) -> Vec<PolicyRule> {
        let length = |default| PolicyRule::Length(min_length.unwrap_or(default));
        let three_of_four = || PolicyRule::ContainsAtLeast(3, ALL_SETS.to_vec());
        match self {
            Self::None => vec![length(1)],
            Self::Low => vec![length(6)],
            Self::Fair => {
                vec![
                    length(8),
                    PolicyRule::Contains(vec![
                        CharacterSet::Lower,
                        CharacterSet::Upper,
                        CharacterSet::Digits,
                    ]),
                ]
            }
            Self::Good => vec![length(8), three_of_four()],
            Self::Excellent => vec![length(10), three_of_four(), PolicyRule::IdenticalChars],
        }
    }
}

/// `connection.options.password_options`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordOptions {
    /// Rules for length and characters.
    pub complexity: ComplexityOptions,
    /// The check for common passwords.
    pub dictionary: DictionaryOptions,
    /// The check for personal information.
    pub profile_data: ProfileDataOptions,
}

/// The rules for length and characters of a flexible policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComplexityOptions {
    /// The minimum length, 1 to 72.
    pub min_length: Option<usize>,
    /// The required character types.
    pub character_types: Vec<CharacterKind>,
    /// The number of types required.
    pub character_type_rule: CharacterKindRule,
    /// Allows a character more than twice in a row.
    pub identical_characters: Switch,
    /// Allows more than two sequential characters.
    pub sequential_characters: Switch,
    /// The treatment of passwords over 72 bytes.
    pub max_length_exceeded: MaxLengthExceeded,
}

/// A character type, as named in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterKind {
    /// `a` to `z`.
    Lowercase,
    /// `A` to `Z`.
    Uppercase,
    /// `0` to `9`.
    Number,
    /// A space or ASCII punctuation.
    Special,
}

/// The number of character types a password needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterKindRule {
    /// All listed types.
    #[default]
    All,
    /// Three of the four types.
    ThreeOfFour,
}

/// Allows or blocks a property of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Allowed.
    #[default]
    Allow,
    /// Blocked.
    Block,
}

/// The treatment of a password over 72 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxLengthExceeded {
    /// It is truncated.
    #[default]
    Truncate,
    /// It is rejected.
    Error,
}

/// The profile members that a password must not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileDataOptions {
    /// Turns the check on.
    pub active: bool,
    /// The members, at most twelve. If empty, those of the legacy check.
    pub blocked_fields: Vec<String>,
}

impl ComplexityOptions {
    /// The rules, in the order in which the tenant explains them.
    fn rules(&self) -> Vec<PolicyRule> {
        let mut rules = Vec::new();
        rules.extend(self.min_length.map(PolicyRule::Length));
        if self.character_type_rule == CharacterKindRule::ThreeOfFour {
            rules.push(PolicyRule::ContainsAtLeast(3, ALL_SETS.to_vec()));
        } else if !self.character_types.is_empty() {
            let wanted = |set: &CharacterSet| self.character_types.iter().any(|t| t.set() == *set);
            rules.push(PolicyRule::Contains(ALL_SETS.into_iter().filter(wanted).collect()));
        }
        if self.identical_characters == Switch::Block {
            rules.push(PolicyRule::IdenticalChars);
        }
        if self.sequential_characters == Switch::Block {
            rules.push(PolicyRule::SequentialChars);
        }
        if self.max_length_exceeded == MaxLengthExceeded::Error {
            rules.push(PolicyRule::MaxBytes(HASHED_BYTES));
        }
        rules
    }
}

impl CharacterKind {
    /// The character set of the type.
    fn set(self) -> CharacterSet {
        match self {
            Self::Lowercase => CharacterSet::Lower,
            Self::Uppercase => CharacterSet::Upper,
            Self::Number => CharacterSet::Digits,
            Self::Special => CharacterSet::Special,
        }
    }
}

/// The rules of the tenant's connection.
pub(super) fn rules(tenant: &Tenant) -> Vec<PolicyRule> {
    match &tenant.password_options {
        Some(options) => options.complexity.rules(),
        None => tenant.policy.rules(tenant.min_length),
    }
}

/// The dictionary of the tenant's connection.
pub(super) fn dictionary(tenant: &Tenant) -> &DictionaryOptions {
    tenant.password_options.as_ref().map_or(&tenant.dictionary, |options| &options.dictionary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(tenant: &Tenant, password: &str) -> bool {
        rules(tenant).iter().all(|rule| rule.holds(password))
    }

    #[test]
    fn each_preset_accepts_and_rejects_as_documented() {
        for (policy, password, accepted) in [
            (PolicyPreset::None, "a", true),
            (PolicyPreset::Low, "aaaaa", false),
            (PolicyPreset::Low, "aaaaaa", true),
            (PolicyPreset::Fair, "abcdefg1!", false),
            (PolicyPreset::Fair, "Abcdefg1", true),
            (PolicyPreset::Good, "Abcdefg!", true),
            (PolicyPreset::Good, "abcdefg!", false),
            (PolicyPreset::Good, "Abcde1!", false),
            (PolicyPreset::Excellent, "Abcdefgh1", false),
            (PolicyPreset::Excellent, "Abcdefghi1", true),
            (PolicyPreset::Excellent, "Abcdefghhh1", false),
        ] {
            let tenant = Tenant { policy, ..Tenant::default() };
            assert_eq!(accepts(&tenant, password), accepted, "{policy:?} {password}");
        }
    }

    #[test]
    fn a_minimum_length_overrides_the_presets() {
        let tenant = Tenant { policy: PolicyPreset::Low, min_length: Some(3), ..Tenant::default() };
        assert!(accepts(&tenant, "abc") && !accepts(&tenant, "ab"));
    }

    #[test]
    fn a_flexible_policy_replaces_the_preset() {
        let complexity = ComplexityOptions {
            min_length: Some(4),
            character_types: vec![CharacterKind::Number, CharacterKind::Lowercase],
            sequential_characters: Switch::Block,
            max_length_exceeded: MaxLengthExceeded::Error,
            ..ComplexityOptions::default()
        };
        let options = PasswordOptions { complexity, ..PasswordOptions::default() };
        let tenant = Tenant { password_options: Some(options), ..Tenant::default() };
        assert!(accepts(&tenant, "aax1"));
        assert!(!accepts(&tenant, "aaxy"), "no digit");
        assert!(!accepts(&tenant, "123x"), "a sequence");
        assert!(!accepts(&tenant, &"1a".repeat(37)), "74 bytes");
    }
}
