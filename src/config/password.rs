//! `[password]`: the connection's policy, in the terms of Auth0's connection options.

use super::reader::Reader;
use crate::domain::PasswordPolicy;
use crate::domain::password::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, PolicyError, PolicyLevel,
    PolicySettings, ProfileDataSettings,
};
use crate::domain::violation::CharacterType;

const MIN_LENGTH: &str = "password.min_length";
const COMPLEXITY_MIN_LENGTH: &str = "password.complexity.min_length";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<PasswordPolicy> {
    let levels = PolicyLevel::ALL.map(|level| (level.name(), level));
    let level = reader.choice("password.policy", &levels).unwrap_or_default();
    let flexible = reader.flag("password.complexity.active");
    let complexity = complexity(reader);
    let of_level = reader.count(MIN_LENGTH, 0..=72);
    let of_complexity = reader.count(COMPLEXITY_MIN_LENGTH, 1..=72);
    let (min_length_key, min_length) =
        if flexible { (COMPLEXITY_MIN_LENGTH, of_complexity) } else { (MIN_LENGTH, of_level) };
    let dictionary = reader.flag("password.dictionary.active");
    let profile_data = reader.flag("password.profile_data.active");
    let blocked = reader.list("password.profile_data.blocked_fields");
    // Built with all lists first, so that an error in one is not found only when it is switched on.
    let mut settings = PolicySettings {
        level,
        min_length: Some(min_length).filter(|length| *length > 0),
        complexity: flexible.then_some(complexity),
        dictionary: DictionarySettings {
            active: true,
            size: DictionarySize::En10k,
            custom: reader.list("password.dictionary.custom"),
        },
        profile_data: ProfileDataSettings {
            active: true,
            blocked_fields: (!blocked.is_empty()).then_some(blocked),
        },
    };
    match PasswordPolicy::new(&settings) {
        Ok(_) => {
            settings.dictionary.active = dictionary;
            settings.profile_data.active = profile_data;
            PasswordPolicy::new(&settings).ok()
        }
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
    let types = CharacterType::ALL.map(|known| (known.name(), known));
    let character_types = reader.choices(KEY, &types);
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
