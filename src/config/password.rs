//! `[password]`: the connection's policy, in the terms of Auth0's connection options.

use super::reader::Reader;
use crate::domain::PasswordPolicy;
use crate::domain::password::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, PolicyError, PolicyLevel,
    PolicySettings, ProfileDataSettings,
};
use crate::domain::violation::CharacterType;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<PasswordPolicy> {
    let levels = PolicyLevel::ALL.map(|level| (level.name(), level));
    let level = reader.choice("password.policy", &levels).unwrap_or_default();
    let flexible = reader.flag("password.complexity.active");
    let complexity = complexity(reader);
    let (min_length_key, min_length) = if flexible {
        let key = "password.complexity.min_length";
        (key, Some(reader.count(key, 1..=72)))
    } else {
        let key = "password.min_length";
        (key, Some(reader.count(key, 0..=72)).filter(|length| *length > 0))
    };
    let blocked = reader.list("password.profile_data.blocked_fields");
    let settings = PolicySettings {
        level,
        min_length,
        complexity: flexible.then_some(complexity),
        dictionary: DictionarySettings {
            active: reader.flag("password.dictionary.active"),
            size: DictionarySize::En10k,
            custom: reader.list("password.dictionary.custom"),
        },
        profile_data: ProfileDataSettings {
            active: reader.flag("password.profile_data.active"),
            blocked_fields: (!blocked.is_empty()).then_some(blocked),
        },
    };
    match PasswordPolicy::new(&settings) {
        Ok(policy) => Some(policy),
        Err(error) => {
            let key = match error {
                PolicyError::MinLength => min_length_key,
                PolicyError::ThreeOfFour => "password.complexity.character_types",
                PolicyError::DictionaryUnavailable
                | PolicyError::TooManyWords
                | PolicyError::WordLength { .. } => "password.dictionary.custom",
                PolicyError::TooManyBlockedFields => "password.profile_data.blocked_fields",
            };
            reader.reject(key, format_args!("a policy that Auth0 accepts: {error}"));
            None
        }
    }
}

fn complexity(reader: &mut Reader<'_>) -> Complexity {
    const KEY: &str = "password.complexity.character_types";
    let expected = CharacterType::ALL.map(CharacterType::name).join(" | ");
    let character_types = reader.entries(KEY, expected, CharacterType::from_name);
    let rules = [CharacterTypeRule::All, CharacterTypeRule::ThreeOfFour];
    let rules = rules.map(|rule| (rule.name(), rule));
    let rule = reader.choice("password.complexity.character_type_rule", &rules);
    let mut block =
        |key: &str| reader.choice(key, &[("allow", false), ("block", true)]).unwrap_or_default();
    Complexity {
        character_types,
        block_identical_characters: block("password.complexity.identical_characters"),
        block_sequential_characters: block("password.complexity.sequential_characters"),
        character_type_rule: rule.unwrap_or_default(),
    }
}
