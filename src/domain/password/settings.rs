//! The settings of a password policy, in the terms of Auth0's connection options, and their errors.
//!
//! Owns these terms and Auth0's limits for them. Must not know settings files, which only use the
//! names.

use crate::domain::violation::CharacterType;

/// One of the five predefined policies (`passwordPolicy` of an Auth0 connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyLevel {
    /// Any non-empty password.
    None,
    /// At least 6 UTF-16 units.
    Low,
    /// At least 8, with lower case, upper case and a number.
    Fair,
    /// At least 8, with three of the four character types.
    #[default]
    Good,
    /// At least 10, with three of the four character types and no character three times in a row.
    Excellent,
}

impl PolicyLevel {
    /// Every level, weakest first.
    pub const ALL: [Self; 5] = [Self::None, Self::Low, Self::Fair, Self::Good, Self::Excellent];

    /// The name in Auth0's connection options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Fair => "fair",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }

    /// Returns the level with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// The number of listed character types that a password needs
/// (`password_options.complexity.character_type_rule`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CharacterTypeRule {
    /// All of them.
    #[default]
    All,
    /// Any three. All four have to be listed.
    ThreeOfFour,
}

impl CharacterTypeRule {
    /// The name in Auth0's connection options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ThreeOfFour => "three_of_four",
        }
    }

    /// Returns the rule with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::All, Self::ThreeOfFour].into_iter().find(|rule| rule.name() == name)
    }
}

/// The rules of a flexible policy (`password_options.complexity`). They replace the rules of a
/// level.
///
/// `max_length_exceeded` has no field, because here it is always `error`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complexity {
    /// The types that count. Empty: no type is required.
    pub character_types: Vec<CharacterType>,
    /// The required number of them.
    pub character_type_rule: CharacterTypeRule,
    /// `identical_characters`: `block` rejects one character three times in a row.
    pub block_identical_characters: bool,
    /// `sequential_characters`: `block` rejects a sequence of three characters (`abc`, `321`).
    pub block_sequential_characters: bool,
}

/// The size of Auth0's own dictionary (`password_options.dictionary.default`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DictionarySize {
    /// `en_10k`, the dictionary of every legacy policy.
    #[default]
    En10k,
    /// `en_100k`, whose words Auth0 does not publish; see [`PolicyError::DictionaryUnavailable`].
    En100k,
}

impl DictionarySize {
    /// The name in Auth0's connection options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En10k => "en_10k",
            Self::En100k => "en_100k",
        }
    }

    /// Returns the dictionary with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::En10k, Self::En100k].into_iter().find(|size| size.name() == name)
    }
}

/// The dictionary of common passwords (`password_options.dictionary`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DictionarySettings {
    /// Off for a new connection.
    pub active: bool,
    /// One of Auth0's own dictionaries.
    pub size: DictionarySize,
    /// The operator's own words, in addition to that dictionary.
    pub custom: Vec<String>,
}

/// The personal data that a password must not contain (`password_options.profile_data`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileDataSettings {
    /// Off for a new connection.
    pub active: bool,
    /// Names of profile fields (`email`, `given_name`, `user_metadata.plan`). A name that no
    /// sign-up can have never matches. `None` means the fixed fields of a legacy policy.
    pub blocked_fields: Option<Vec<String>>,
}

/// The settings of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySettings {
    /// The predefined policy, unless `complexity` replaces it.
    pub level: PolicyLevel,
    /// The minimum length in UTF-16 units; replaces that of the level
    /// (`password_complexity_options.min_length`, `password_options.complexity.min_length`).
    pub min_length: Option<usize>,
    /// A flexible policy instead of a level.
    pub complexity: Option<Complexity>,
    /// Common passwords.
    pub dictionary: DictionarySettings,
    /// Passwords that contain personal data.
    pub profile_data: ProfileDataSettings,
}

/// A setting that Auth0 would reject, or that cannot be checked here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A minimum length outside Auth0's limits.
    #[error("min_length must be between 1 and 72")]
    MinLength,
    /// `three_of_four` without all four types.
    #[error("character_type_rule three_of_four needs all four character_types")]
    ThreeOfFour,
    /// `en_100k`, which Auth0 does not publish.
    #[error("dictionary en_100k is not published by Auth0 and cannot be checked here")]
    DictionaryUnavailable,
    /// More own words than Auth0 accepts.
    #[error("dictionary.custom accepts at most 200 words")]
    TooManyWords,
    /// An own word that is empty or longer than Auth0 accepts.
    #[error("dictionary.custom accepts words of 1 to 50 characters, which word {position} is not")]
    WordLength {
        /// Counted from 1.
        position: usize,
    },
    /// More fields than Auth0 accepts.
    #[error("profile_data.blocked_fields accepts at most 12 fields")]
    TooManyBlockedFields,
}
