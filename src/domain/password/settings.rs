//! What a password policy is built from, in the words of Auth0's connection options, and what can
//! be wrong with it.
//!
//! Owns the vocabulary and the bounds that Auth0 sets on it. Must not know settings files: names
//! are given for whoever reads them.

use crate::domain::violation::CharacterType;

/// One of the five ready-made policies (`passwordPolicy` of an Auth0 connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Any password that is not empty.
    None,
    /// At least 6 UTF-16 units.
    Low,
    /// At least 8, with lower case, upper case and a number.
    Fair,
    /// At least 8, with three of the four character types.
    #[default]
    Good,
    /// At least 10, with three of the four character types and no character thrice in a row.
    Excellent,
}

impl Level {
    /// Every level, the weakest first.
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

    /// The level of that exact name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// How many of the listed character types a password needs
/// (`password_options.complexity.character_type_rule`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CharacterTypeRule {
    /// Each of them.
    #[default]
    All,
    /// Any three; all four have to be listed.
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

    /// The rule of that exact name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::All, Self::ThreeOfFour].into_iter().find(|rule| rule.name() == name)
    }
}

/// The rules of a flexible policy (`password_options.complexity`). They stand in the place of a
/// level's rules and are not added to them.
///
/// `max_length_exceeded` has no field: here it is always `error`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complexity {
    /// The types that count. None means that no type is asked for.
    pub character_types: Vec<CharacterType>,
    /// How many of them are needed.
    pub character_type_rule: CharacterTypeRule,
    /// `identical_characters`: `block` refuses one character thrice in a row.
    pub block_identical_characters: bool,
    /// `sequential_characters`: `block` refuses three neighbours in a row (`abc`, `321`).
    pub block_sequential_characters: bool,
}

/// The size of Auth0's own dictionary (`password_options.dictionary.default`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DictionarySize {
    /// `en_10k`, the dictionary of every legacy policy.
    #[default]
    En10k,
    /// `en_100k`, whose words Auth0 does not publish; see [`PolicyFault::DictionaryUnavailable`].
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

    /// The dictionary of that exact name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::En10k, Self::En100k].into_iter().find(|size| size.name() == name)
    }
}

/// The dictionary of passwords that are too common (`password_options.dictionary`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DictionarySettings {
    /// Off on a new connection.
    pub active: bool,
    /// Which of Auth0's own dictionaries is used.
    pub size: DictionarySize,
    /// The operator's own words, beside that dictionary.
    pub custom: Vec<String>,
}

/// The personal information that a password must not contain (`password_options.profile_data`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileDataSettings {
    /// Off on a new connection.
    pub active: bool,
    /// Names as in a profile (`email`, `given_name`, `user_metadata.plan`); a name that no sign-up
    /// can have is never met. `None` means the fixed fields of a legacy policy.
    pub blocked_fields: Option<Vec<String>>,
}

/// Everything a policy is built from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySettings {
    /// The ready-made policy, where `complexity` gives no other.
    pub level: Level,
    /// In UTF-16 units; in the place of the level's own
    /// (`password_complexity_options.min_length`, `password_options.complexity.min_length`).
    pub min_length: Option<usize>,
    /// A flexible policy instead of a level.
    pub complexity: Option<Complexity>,
    /// Passwords that are too common.
    pub dictionary: DictionarySettings,
    /// Passwords that hold personal information.
    pub profile_data: ProfileDataSettings,
}

/// A setting that Auth0 would not take, or that cannot be followed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Auth0's bounds of the minimum length.
    #[error("min_length must be between 1 and 72")]
    MinLength,
    /// `three_of_four` without all four types.
    #[error("character_type_rule three_of_four needs all four character_types")]
    ThreeOfFour,
    /// `en_100k`, which Auth0 does not publish.
    #[error("dictionary en_100k is not published by Auth0 and cannot be checked here")]
    DictionaryUnavailable,
    /// More own words than Auth0 takes.
    #[error("dictionary.custom takes at most 200 words")]
    TooManyWords,
    /// An own word that is empty or longer than Auth0 takes.
    #[error("dictionary.custom takes words of 1 to 50 characters; word {position} is not")]
    WordLength {
        /// Counted from 1.
        position: usize,
    },
    /// More fields than Auth0 takes.
    #[error("profile_data.blocked_fields takes at most 12 fields")]
    TooManyBlockedFields,
}
