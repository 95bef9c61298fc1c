//! The password policy against password-sheriff and auth0-password-policies, and against the
//! reference in `scripts/oracle/policy.mjs` for dictionary and personal information.

use std::borrow::Cow;
use std::collections::BTreeMap;

use auth0_signup::domain::password::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, PolicyLevel, PolicySettings,
    ProfileDataSettings,
};
use auth0_signup::domain::violation::CharacterType;
use auth0_signup::domain::{Field, PasswordPolicy, PasswordRule, Profile};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{load, require_agreement};

/// All of `password.json`.
#[derive(Deserialize)]
struct PasswordFile {
    profile: OracleProfile,
    policies: BTreeMap<String, OraclePolicy>,
    vectors: Vec<PasswordVector>,
}

/// The user with whose data every password is checked.
#[derive(Deserialize)]
struct OracleProfile {
    email: String,
    name: String,
    nickname: String,
    username: String,
    given_name: String,
    family_name: String,
    phone_number: String,
    user_metadata: BTreeMap<String, String>,
}

/// A policy in the terms of Auth0's connection options.
#[derive(Deserialize)]
struct OraclePolicy {
    level: Option<String>,
    min_length: Option<usize>,
    complexity: Option<OracleComplexity>,
    dictionary: Option<OracleDictionary>,
    profile_data: Option<OracleProfileData>,
}

/// `password_options.complexity`, without its minimum length.
#[derive(Deserialize)]
struct OracleComplexity {
    character_types: Vec<String>,
    character_type_rule: String,
    identical_characters: String,
    sequential_characters: String,
}

/// `password_options.dictionary`
#[derive(Deserialize)]
struct OracleDictionary {
    active: bool,
    default: String,
    custom: Vec<String>,
}

/// `password_options.profile_data`
#[derive(Deserialize)]
struct OracleProfileData {
    active: bool,
    blocked_fields: Option<Vec<String>>,
}

/// A password, the name of the policy, and the rules that it does not meet, with their numbers.
#[derive(Deserialize)]
struct PasswordVector {
    policy: String,
    password: String,
    failed: Value,
}

impl OraclePolicy {
    /// Builds the same policy from our settings.
    fn build(&self) -> PasswordPolicy {
        let mut settings = PolicySettings {
            min_length: self.min_length,
            complexity: self.complexity.as_ref().map(OracleComplexity::build),
            ..PolicySettings::default()
        };
        if let Some(level) = &self.level {
            settings.level = PolicyLevel::from_name(level).unwrap();
        }
        if let Some(dictionary) = &self.dictionary {
            settings.dictionary = DictionarySettings {
                active: dictionary.active,
                size: DictionarySize::from_name(&dictionary.default).unwrap(),
                custom: dictionary.custom.clone(),
            };
        }
        if let Some(profile_data) = &self.profile_data {
            settings.profile_data = ProfileDataSettings {
                active: profile_data.active,
                blocked_fields: profile_data.blocked_fields.clone(),
            };
        }
        PasswordPolicy::new(&settings).unwrap()
    }
}

impl OracleComplexity {
    /// Builds the same rules from our settings.
    fn build(&self) -> Complexity {
        Complexity {
            character_types: self
                .character_types
                .iter()
                .map(|name| CharacterType::from_name(name).unwrap())
                .collect(),
            character_type_rule: CharacterTypeRule::from_name(&self.character_type_rule).unwrap(),
            block_identical_characters: self.identical_characters == "block",
            block_sequential_characters: self.sequential_characters == "block",
        }
    }
}

/// Converts one of our results to the form of the vectors.
fn as_vector(rule: &PasswordRule) -> Value {
    let names = |types: &[CharacterType]| types.iter().map(|kind| kind.name()).collect::<Vec<_>>();
    let code = rule.code();
    match rule {
        PasswordRule::TooShort { min_length } => json!({"code": code, "min_length": min_length}),
        PasswordRule::TooLong { max_bytes } => json!({"code": code, "max_bytes": max_bytes}),
        PasswordRule::CharacterTypes { required, types, missing } => json!({
            "code": code,
            "required": required,
            "types": names(types),
            "missing": names(missing),
        }),
        PasswordRule::RepeatedCharacters { max } | PasswordRule::SequentialCharacters { max } => {
            json!({"code": code, "max": max})
        }
        PasswordRule::ContainsUserInfo { fields } => json!({
            "code": code,
            "fields": fields.iter().map(Cow::as_ref).collect::<Vec<_>>(),
        }),
        PasswordRule::TooCommon
        | PasswordRule::Breached
        | PasswordRule::UsedBefore
        | PasswordRule::TooWeak => json!({"code": code}),
    }
}

#[test]
fn password_policy_agrees() {
    let file: PasswordFile = load("password.json");
    let policies: BTreeMap<_, _> =
        file.policies.iter().map(|(name, policy)| (name.as_str(), policy.build())).collect();
    let user_metadata: Vec<_> = file
        .profile
        .user_metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let OracleProfile { given_name, family_name, name, nickname, username, phone_number, .. } =
        &file.profile;
    let attributes = [
        (Field::GivenName, given_name.as_str()),
        (Field::FamilyName, family_name),
        (Field::Name, name),
        (Field::Nickname, nickname),
        (Field::Username, username),
        (Field::PhoneNumber, phone_number),
    ];
    let profile = Profile {
        email: &file.profile.email,
        attributes: &attributes,
        user_metadata: &user_metadata,
    };
    require_agreement("password", &file.vectors, |vector| {
        let unmet = policies[vector.policy.as_str()].check(&vector.password, &profile);
        let ours = Value::Array(unmet.iter().map(as_vector).collect());
        (ours != vector.failed).then(|| {
            format!("{} {:?}: {ours}, not {}", vector.policy, vector.password, vector.failed)
        })
    });
}
