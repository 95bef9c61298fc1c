//! The five presets and the flexible policies, as npm `auth0-password-policies` builds them.

use serde::{Deserialize, Serialize};

use super::dictionary::DictionaryOptions;
use super::rules::{CharacterSet, PasswordRule};
use crate::tenant::Tenant;

/// The kinds in the order the presets name them.
const ALL_SETS: [CharacterSet; 4] =
    [CharacterSet::Lower, CharacterSet::Upper, CharacterSet::Digits, CharacterSet::Special];
/// How many bytes of a password the tenant's hash function reads.
const HASHED_BYTES: usize = 72;

/// A preset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyPreset {
    /// Not empty.
    None,
    /// Six characters.
    Low,
    /// Eight characters, with lower case, upper case and digits.
    Fair,
    /// Eight characters of three of the four kinds.
    #[default]
    Good,
    /// Ten characters of three of the four kinds, and none more than twice in a row.
    Excellent,
}

impl PolicyPreset {
    /// The name Lock and the connections API know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Fair => "fair",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }

    /// Its rules, with another least length if one is set.
    fn rules(self, min_length: Option<usize>) -> Vec<PasswordRule> {
        let length = |usual| PasswordRule::Length(min_length.unwrap_or(usual));
        let three_of_four = || PasswordRule::ContainsAtLeast(3, ALL_SETS.to_vec());
        match self {
            Self::None => vec![length(1)],
            Self::Low => vec![length(6)],
            Self::Fair => {
                vec![
                    length(8),
                    PasswordRule::Contains(vec![
                        CharacterSet::Lower,
                        CharacterSet::Upper,
                        CharacterSet::Digits,
                    ]),
                ]
            }
            Self::Good => vec![length(8), three_of_four()],
            Self::Excellent => vec![length(10), three_of_four(), PasswordRule::IdenticalChars],
        }
    }
}

/// `connection.options.password_options`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordOptions {
    /// What the password is made of.
    pub complexity: ComplexityOptions,
    /// Common passwords.
    pub dictionary: DictionaryOptions,
    /// Personal information.
    pub profile_data: ProfileDataOptions,
}

/// What a password of a flexible policy is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComplexityOptions {
    /// The least length, 1 to 72.
    pub min_length: Option<usize>,
    /// The kinds of character it needs.
    pub character_types: Vec<CharacterKind>,
    /// How many of them.
    pub character_type_rule: CharacterKindRule,
    /// Whether a character may stand more than twice in a row.
    pub identical_characters: Switch,
    /// Whether more than two may follow one another.
    pub sequential_characters: Switch,
    /// What happens beyond 72 bytes.
    pub max_length_exceeded: MaxLengthExceeded,
}

/// A kind of character, in the words of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterKind {
    /// `a` to `z`.
    Lowercase,
    /// `A` to `Z`.
    Uppercase,
    /// `0` to `9`.
    Number,
    /// A space or a mark of ASCII.
    Special,
}

/// How many of the kinds a password needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterKindRule {
    /// All that are listed.
    #[default]
    All,
    /// Three of the four.
    ThreeOfFour,
}

/// Whether something may be in a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It may.
    #[default]
    Allow,
    /// It may not.
    Block,
}

/// What happens to a password of more than 72 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxLengthExceeded {
    /// It is cut.
    #[default]
    Truncate,
    /// It is refused.
    Error,
}

/// Which members of the profile may not be in a password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileDataOptions {
    /// Whether the check is on.
    pub active: bool,
    /// The members, at most twelve; those of the legacy check if there are none.
    pub blocked_fields: Vec<String>,
}

impl ComplexityOptions {
    /// Its rules, in the order the tenant explains them.
    fn rules(&self) -> Vec<PasswordRule> {
        let mut rules = Vec::new();
        rules.extend(self.min_length.map(PasswordRule::Length));
        if self.character_type_rule == CharacterKindRule::ThreeOfFour {
            rules.push(PasswordRule::ContainsAtLeast(3, ALL_SETS.to_vec()));
        } else if !self.character_types.is_empty() {
            let wanted = |set: &CharacterSet| self.character_types.iter().any(|t| t.set() == *set);
            rules.push(PasswordRule::Contains(ALL_SETS.into_iter().filter(wanted).collect()));
        }
        if self.identical_characters == Switch::Block {
            rules.push(PasswordRule::IdenticalChars);
        }
        if self.sequential_characters == Switch::Block {
            rules.push(PasswordRule::SequentialChars);
        }
        if self.max_length_exceeded == MaxLengthExceeded::Error {
            rules.push(PasswordRule::MaxBytes(HASHED_BYTES));
        }
        rules
    }
}

impl CharacterKind {
    /// The characters of the kind.
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
pub(super) fn rules(tenant: &Tenant) -> Vec<PasswordRule> {
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
    fn each_preset_draws_its_own_line() {
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
    fn a_least_length_replaces_the_presets_own() {
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
