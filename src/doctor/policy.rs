//! The drift between `[password]` and the connection's password policy, in both directions.

use super::finding::{Finding, or_ok};
use super::kind::FindingKind;
use crate::auth0::connection::{ConnectionOptions, FlexiblePolicy};
use crate::domain::PasswordPolicy;
use crate::domain::password::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, PolicyAspect,
    PolicyDifference, PolicyLevel, PolicySettings, ProfileDataSettings,
};
use crate::domain::violation::CharacterType;

/// The value of a rule that is switched on.
const BLOCK: &str = "block";

pub(super) fn check(own: &PasswordPolicy, options: &ConnectionOptions) -> Vec<Finding> {
    let settings = match &options.password_options {
        Some(flexible) => of_flexible(flexible),
        None => of_legacy(options),
    };
    let tenants = match settings.map(|settings| PasswordPolicy::new(&settings)) {
        Ok(Ok(policy)) => policy,
        Ok(Err(error)) => return vec![Finding::about(FindingKind::PolicyUnsupported, error)],
        Err(unknown) => return vec![Finding::about(FindingKind::PolicyUnsupported, unknown)],
    };
    let differences = own.differences(&tenants);
    let direction = |is_stricter: bool, kind: FindingKind| {
        let aspects: Vec<_> =
            differences.iter().filter(|one| one.other_is_stricter == is_stricter).collect();
        let setting = setting(own, aspects.first()?.aspect);
        let names: Vec<_> = aspects.iter().map(|one| words(**one, own, &tenants)).collect();
        Some(Finding::about(kind, names.join("; ")).at(setting))
    };
    let stricter = direction(true, FindingKind::PolicyTenantStricter);
    let weaker = direction(false, FindingKind::PolicyTenantWeaker);
    or_ok(stricter.into_iter().chain(weaker).collect(), Finding::new(FindingKind::PolicyOk))
}

/// A difference in words. Words of a dictionary are not named.
fn words(difference: PolicyDifference, own: &PasswordPolicy, tenants: &PasswordPolicy) -> String {
    let name = difference.aspect.name();
    match difference.aspect {
        PolicyAspect::MinLength => {
            format!("{name}: {} here, {} at Auth0", own.min_length(), tenants.min_length())
        }
        _ => name.to_owned(),
    }
}

/// The setting that decides about an aspect.
fn setting(own: &PasswordPolicy, aspect: PolicyAspect) -> &'static str {
    let is_flexible = own.name() == "flexible";
    match aspect {
        PolicyAspect::MinLength if is_flexible => "password.complexity.min_length",
        PolicyAspect::CharacterTypes if is_flexible => "password.complexity.character_types",
        PolicyAspect::IdenticalCharacters if is_flexible => {
            "password.complexity.identical_characters"
        }
        PolicyAspect::SequentialCharacters => "password.complexity.sequential_characters",
        PolicyAspect::MinLength
        | PolicyAspect::CharacterTypes
        | PolicyAspect::IdenticalCharacters => "password.policy",
        PolicyAspect::Dictionary => "password.dictionary.active",
        PolicyAspect::CustomWords => "password.dictionary.custom",
        PolicyAspect::ProfileData => "password.profile_data.active",
    }
}

/// The settings of one of the five levels, or the part that is unknown.
fn of_legacy(options: &ConnectionOptions) -> Result<PolicySettings, &'static str> {
    let level = options.password_policy.as_deref().unwrap_or("none");
    let level = PolicyLevel::from_name(level).ok_or("an unknown level")?;
    let dictionary = options.password_dictionary.as_ref();
    let personal = options.password_no_personal_info.as_ref();
    Ok(PolicySettings {
        level,
        min_length: options.password_complexity_options.as_ref().and_then(|own| own.min_length),
        complexity: None,
        dictionary: DictionarySettings {
            active: dictionary.is_some_and(|dictionary| dictionary.enable),
            size: DictionarySize::En10k,
            custom: dictionary.map(|own| own.dictionary.clone()).unwrap_or_default(),
        },
        profile_data: ProfileDataSettings {
            active: personal.is_some_and(|personal| personal.enable),
            blocked_fields: None,
        },
    })
}

/// The settings of a flexible policy, or the part that is unknown.
fn of_flexible(policy: &FlexiblePolicy) -> Result<PolicySettings, &'static str> {
    let FlexiblePolicy { complexity, dictionary, profile_data } = policy;
    let types = complexity.character_types.iter().map(|name| CharacterType::from_name(name));
    let types: Option<Vec<_>> = types.collect();
    let rule = complexity.character_type_rule.as_deref().unwrap_or("all");
    let size = dictionary.size.as_deref().unwrap_or("en_10k");
    let blocks = |value: &Option<String>| value.as_deref() == Some(BLOCK);
    let blocked = &profile_data.blocked_fields;
    Ok(PolicySettings {
        level: PolicyLevel::None,
        min_length: complexity.min_length,
        complexity: Some(Complexity {
            character_types: types.ok_or("an unknown character type")?,
            character_type_rule: CharacterTypeRule::from_name(rule).ok_or("an unknown rule")?,
            block_identical_characters: blocks(&complexity.identical_characters),
            block_sequential_characters: blocks(&complexity.sequential_characters),
        }),
        dictionary: DictionarySettings {
            active: dictionary.active,
            size: DictionarySize::from_name(size).ok_or("an unknown dictionary")?,
            custom: dictionary.custom.clone(),
        },
        profile_data: ProfileDataSettings {
            active: profile_data.active,
            blocked_fields: (!blocked.is_empty()).then(|| blocked.clone()),
        },
    })
}
