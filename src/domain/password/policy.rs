//! The policy as a whole: the rules in force, those that a password does not meet, and the list of
//! rules for a front end.
//!
//! Owns the order of the checks, and rejects settings that Auth0 would reject. Must not know how a
//! single rule decides.

use std::ops::RangeInclusive;

use super::MAX_BYTES;
use super::complexity::ComplexityRules;
use super::dictionary::Dictionary;
use super::profile::{BlockedFields, Profile};
use super::settings::{CharacterTypeRule, PolicyError, PolicySettings};
use crate::domain::violation::{CharacterType, PasswordRule};

/// Auth0's limits for the minimum length.
const MIN_LENGTHS: RangeInclusive<usize> = 1..=72;

/// The password policy of the tenant's connection.
#[derive(Debug)]
pub struct PasswordPolicy {
    /// The name of the level, or `flexible`.
    name: &'static str,
    /// The rules about the password alone.
    pub(super) complexity: ComplexityRules,
    /// `None` if the dictionary is off.
    pub(super) dictionary: Option<Dictionary>,
    /// `None` if personal data is allowed.
    pub(super) blocked_fields: Option<BlockedFields>,
}

impl PasswordPolicy {
    /// Builds the policy from these settings.
    ///
    /// # Errors
    ///
    /// The first [`PolicyError`] found: a setting that Auth0 would reject too, or a dictionary that
    /// is not public.
    pub fn new(settings: &PolicySettings) -> Result<Self, PolicyError> {
        let (name, mut complexity) = match &settings.complexity {
            Some(complexity) => ("flexible", ComplexityRules::from_complexity(complexity)?),
            None => (settings.level.name(), ComplexityRules::from_level(settings.level)),
        };
        if let Some(min_length) = settings.min_length {
            if !MIN_LENGTHS.contains(&min_length) {
                return Err(PolicyError::MinLength);
            }
            complexity.min_length = min_length;
        }
        let dictionary = &settings.dictionary;
        let profile_data = &settings.profile_data;
        Ok(Self {
            name,
            complexity,
            dictionary: dictionary.active.then(|| Dictionary::new(dictionary)).transpose()?,
            blocked_fields: profile_data
                .active
                .then(|| BlockedFields::new(profile_data))
                .transpose()?,
        })
    }

    /// Returns every rule that the password does not meet. Does not allocate if it meets all of
    /// them.
    ///
    /// Does not search for personal data beyond [`MAX_BYTES`]: the time grows with the length, and
    /// the password is rejected anyway.
    pub fn check(&self, password: &str, profile: &Profile<'_>) -> Vec<PasswordRule> {
        let mut unmet = Vec::new();
        self.complexity.check(password, &mut unmet);
        if self.dictionary.as_ref().is_some_and(|dictionary| dictionary.contains(password)) {
            unmet.push(PasswordRule::TooCommon);
        }
        if let Some(blocked_fields) = &self.blocked_fields
            && password.len() <= MAX_BYTES
        {
            let fields = blocked_fields.contained_in(password, profile);
            if !fields.is_empty() {
                unmet.push(PasswordRule::ContainsUserInfo { fields });
            }
        }
        unmet
    }

    /// Returns the rules to show to people in advance: all that can be checked by reading a
    /// password.
    pub fn rules(&self) -> Vec<PasswordRule> {
        let mut rules = self.complexity.list();
        if self.blocked_fields.is_some() {
            rules.push(PasswordRule::ContainsUserInfo { fields: Vec::new() });
        }
        rules
    }

    /// The name of the level, or `flexible`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The minimum length in UTF-16 units.
    pub const fn min_length(&self) -> usize {
        self.complexity.min_length
    }

    /// The character types that count; empty if none is required.
    pub fn character_types(&self) -> &[CharacterType] {
        &self.complexity.types
    }

    /// The required number of character types.
    pub const fn character_type_rule(&self) -> CharacterTypeRule {
        self.complexity.type_rule
    }

    /// The published words that are rejected and long enough to meet the minimum length. `None` if
    /// the dictionary is off.
    pub fn common_passwords(&self) -> Option<impl Iterator<Item = &'static str>> {
        self.dictionary.as_ref()?;
        Some(Dictionary::published(self.min_length()))
    }

    /// Returns whether three identical characters in a row are rejected.
    pub const fn blocks_identical_characters(&self) -> bool {
        self.complexity.blocks_identical
    }

    /// Returns whether a sequence of three characters (`abc`, `321`) is rejected.
    pub const fn blocks_sequential_characters(&self) -> bool {
        self.complexity.blocks_sequential
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::{
        Complexity, DictionarySettings, DictionarySize, PolicyLevel, ProfileDataSettings,
    };
    use crate::domain::Field;
    use proptest::prelude::*;

    use super::*;

    fn error(settings: &PolicySettings) -> PolicyError {
        PasswordPolicy::new(settings).unwrap_err()
    }

    #[test]
    fn every_unmet_rule_is_reported_with_its_numbers() {
        let policy = PasswordPolicy::new(&PolicySettings {
            level: PolicyLevel::Excellent,
            dictionary: DictionarySettings { active: true, ..DictionarySettings::default() },
            profile_data: ProfileDataSettings { active: true, blocked_fields: None },
            ..PolicySettings::default()
        })
        .unwrap();
        let profile = Profile { email: "aaaa@example.com", ..Profile::default() };
        let types = policy.character_types().to_vec();
        assert_eq!(
            policy.check("aaaaaa", &profile),
            [
                PasswordRule::TooShort { min_length: 10 },
                PasswordRule::CharacterTypes { required: 3, missing: types[1..].to_vec(), types },
                PasswordRule::RepeatedCharacters { max: 2 },
                PasswordRule::TooCommon,
                PasswordRule::ContainsUserInfo { fields: vec!["email".into()] },
            ]
        );
    }

    #[test]
    fn more_than_72_bytes_are_rejected_at_every_level() {
        for level in PolicyLevel::ALL {
            let settings = PolicySettings { level, ..PolicySettings::default() };
            let policy = PasswordPolicy::new(&settings).unwrap();
            let fine = "Aa1é".repeat(14);
            assert!(policy.check(&fine, &Profile::default()).is_empty());
            let long = "Aa1é".repeat(15);
            assert_eq!(
                policy.check(&long, &Profile::default()),
                [PasswordRule::TooLong { max_bytes: 72 }]
            );
        }
    }

    #[test]
    fn settings_that_auth0_rejects_are_reported() {
        let with_min_length =
            |length| PolicySettings { min_length: Some(length), ..PolicySettings::default() };
        assert_eq!(error(&with_min_length(0)), PolicyError::MinLength);
        assert_eq!(error(&with_min_length(73)), PolicyError::MinLength);

        let three_of_four = Complexity {
            character_types: vec![CharacterType::Lowercase],
            character_type_rule: CharacterTypeRule::ThreeOfFour,
            ..Complexity::default()
        };
        assert_eq!(
            error(&PolicySettings { complexity: Some(three_of_four), ..Default::default() }),
            PolicyError::ThreeOfFour
        );

        let with_dictionary = |size, custom| PolicySettings {
            dictionary: DictionarySettings { active: true, size, custom },
            ..PolicySettings::default()
        };
        assert_eq!(
            error(&with_dictionary(DictionarySize::En100k, Vec::new())),
            PolicyError::DictionaryUnavailable
        );
        assert_eq!(
            error(&with_dictionary(DictionarySize::En10k, vec!["x".to_owned(); 201])),
            PolicyError::TooManyWords
        );
        assert_eq!(
            error(&with_dictionary(DictionarySize::En10k, vec!["é".repeat(50), "é".repeat(51)])),
            PolicyError::WordLength { position: 2 }
        );

        let profile_data =
            ProfileDataSettings { active: true, blocked_fields: Some(vec!["name".to_owned(); 13]) };
        assert_eq!(
            error(&PolicySettings { profile_data, ..PolicySettings::default() }),
            PolicyError::TooManyBlockedFields
        );
    }

    /// Any valid settings.
    fn settings() -> impl Strategy<Value = PolicySettings> {
        let level = proptest::sample::select(&PolicyLevel::ALL);
        let types = proptest::sample::subsequence(&CharacterType::ALL, 0..=4);
        let complexity = (types, any::<bool>(), any::<bool>()).prop_map(
            |(character_types, identical, sequential)| Complexity {
                character_types,
                block_identical_characters: identical,
                block_sequential_characters: sequential,
                ..Complexity::default()
            },
        );
        (level, proptest::option::of(1..=72_usize), proptest::option::of(complexity), any::<bool>())
            .prop_map(|(level, min_length, complexity, active)| PolicySettings {
                level,
                min_length,
                complexity,
                dictionary: DictionarySettings { active, ..DictionarySettings::default() },
                profile_data: ProfileDataSettings { active, blocked_fields: None },
            })
    }

    proptest! {
        #[test]
        fn any_password_is_checked_and_no_rule_is_reported_twice(
            settings in settings(),
            password in any::<String>(),
            email in any::<String>(),
        ) {
            let attributes = [(Field::Name, email.as_str())];
            let profile = Profile { email: &email, attributes: &attributes, ..Profile::default() };
            let unmet = PasswordPolicy::new(&settings).unwrap().check(&password, &profile);
            let codes: std::collections::HashSet<_> =
                unmet.iter().map(PasswordRule::code).collect();
            prop_assert_eq!(codes.len(), unmet.len());
        }
    }
}
