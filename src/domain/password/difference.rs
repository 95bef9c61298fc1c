//! The comparison of two policies: what one of them rejects and the other accepts.
//!
//! For a diagnosis only. A sign-up meets one policy, and the tenant decides.

use super::complexity::ComplexityRules;
use super::policy::PasswordPolicy;
use super::settings::CharacterTypeRule;

/// A part of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyAspect {
    /// The minimum length.
    MinLength,
    /// The required character types.
    CharacterTypes,
    /// One character three times in a row.
    IdenticalCharacters,
    /// Sequences such as `abc`.
    SequentialCharacters,
    /// The dictionary of common passwords.
    Dictionary,
    /// The operator's own words.
    CustomWords,
    /// The compared fields of the profile.
    ProfileData,
}

impl PolicyAspect {
    /// Names the aspect in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MinLength => "the minimum length",
            Self::CharacterTypes => "the required character types",
            Self::IdenticalCharacters => "identical characters in a row",
            Self::SequentialCharacters => "sequences of characters",
            Self::Dictionary => "common passwords",
            Self::CustomWords => "your own words of the dictionary",
            Self::ProfileData => "personal data",
        }
    }
}

/// A part in which one policy rejects what the other accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyDifference {
    /// The part.
    pub aspect: PolicyAspect,
    /// True if the other policy rejects more, false if it accepts more. A part may differ both ways.
    pub other_is_stricter: bool,
}

impl PasswordPolicy {
    /// Compares this policy with another one, in both directions.
    pub fn differences(&self, other: &Self) -> Vec<PolicyDifference> {
        let directions = [(self, other, true), (other, self, false)];
        directions
            .into_iter()
            .flat_map(|(one, other, other_is_stricter)| {
                let stricter = other.stricter_than(one).into_iter();
                stricter.map(move |aspect| PolicyDifference { aspect, other_is_stricter })
            })
            .collect()
    }

    /// The parts in which this policy rejects a password that the other one accepts.
    fn stricter_than(&self, other: &Self) -> Vec<PolicyAspect> {
        let (own, others) = (&self.complexity, &other.complexity);
        let is_known_word =
            |word: &String| other.dictionary.as_ref().is_some_and(|others| others.contains(word));
        let mut own_words = self.dictionary.iter().flat_map(|own| &own.words);
        let is_blocked_field =
            |field| other.blocked_fields.as_ref().is_some_and(|others| others.0.contains(field));
        let mut own_fields = self.blocked_fields.iter().flat_map(|own| &own.0);
        let is_stricter = [
            (PolicyAspect::MinLength, own.min_length > others.min_length),
            (PolicyAspect::CharacterTypes, !implies(others, own)),
            (PolicyAspect::IdenticalCharacters, own.blocks_identical && !others.blocks_identical),
            (
                PolicyAspect::SequentialCharacters,
                own.blocks_sequential && !others.blocks_sequential,
            ),
            (PolicyAspect::Dictionary, self.dictionary.is_some() && other.dictionary.is_none()),
            (PolicyAspect::CustomWords, own_words.any(|word| !is_known_word(word))),
            (PolicyAspect::ProfileData, own_fields.any(|field| !is_blocked_field(field))),
        ];
        is_stricter.into_iter().filter(|(_, stricter)| *stricter).map(|(part, _)| part).collect()
    }
}

/// Returns whether each password with the character types that `one` requires has those that
/// `other` requires.
fn implies(one: &ComplexityRules, other: &ComplexityRules) -> bool {
    match (one.type_rule, other.type_rule) {
        (_, CharacterTypeRule::All) if other.types.is_empty() => true,
        (CharacterTypeRule::All, CharacterTypeRule::All) => {
            other.types.iter().all(|kind| one.types.contains(kind))
        }
        (CharacterTypeRule::All, CharacterTypeRule::ThreeOfFour) => {
            one.types.len() >= other.required_types()
        }
        (CharacterTypeRule::ThreeOfFour, CharacterTypeRule::ThreeOfFour) => true,
        (CharacterTypeRule::ThreeOfFour, CharacterTypeRule::All) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::{
        DictionarySettings, PolicyLevel, PolicySettings, ProfileDataSettings,
    };
    use super::*;

    fn policy(settings: &PolicySettings) -> PasswordPolicy {
        PasswordPolicy::new(settings).unwrap()
    }

    fn level(level: PolicyLevel) -> PasswordPolicy {
        policy(&PolicySettings { level, ..PolicySettings::default() })
    }

    #[test]
    fn a_level_differs_from_another_in_the_parts_that_decide() {
        use PolicyAspect::{CharacterTypes, IdenticalCharacters, MinLength};
        for (own, tenant, stricter, weaker) in [
            (PolicyLevel::Good, PolicyLevel::Good, &[][..], &[][..]),
            (
                PolicyLevel::Good,
                PolicyLevel::Excellent,
                &[MinLength, IdenticalCharacters][..],
                &[][..],
            ),
            (PolicyLevel::Good, PolicyLevel::Low, &[], &[MinLength, CharacterTypes]),
            // Fair wants three certain types, good any three of four.
            (PolicyLevel::Good, PolicyLevel::Fair, &[CharacterTypes], &[]),
            (PolicyLevel::None, PolicyLevel::Low, &[MinLength], &[]),
        ] {
            let found = level(own).differences(&level(tenant));
            let of = |other_is_stricter: bool| -> Vec<_> {
                let found = found.iter().filter(|one| one.other_is_stricter == other_is_stricter);
                found.map(|one| one.aspect).collect()
            };
            assert_eq!((&*of(true), &*of(false)), (stricter, weaker), "{own:?} {tenant:?}");
        }
    }

    #[test]
    fn words_and_fields_are_compared_as_sets() {
        let with = |words: &[&str], fields: Option<&[&str]>| {
            policy(&PolicySettings {
                dictionary: DictionarySettings {
                    active: true,
                    custom: words.iter().map(|word| (*word).to_owned()).collect(),
                    ..DictionarySettings::default()
                },
                profile_data: ProfileDataSettings {
                    active: true,
                    blocked_fields: fields
                        .map(|all| all.iter().map(|field| (*field).to_owned()).collect()),
                },
                ..PolicySettings::default()
            })
        };
        let both = with(&["acme", "Acme-2"], Some(&["name", "email"]));
        assert_eq!(both.differences(&with(&["acme-2", "ACME"], Some(&["email", "name"]))), []);
        let common = with(&["Password"], None);
        assert_eq!(common.differences(&with(&[], None)), [], "a word that the list has too");
        let more = both.differences(&with(&["acme", "other"], Some(&["name", "nickname"])));
        for aspect in [PolicyAspect::CustomWords, PolicyAspect::ProfileData] {
            for other_is_stricter in [true, false] {
                assert!(more.contains(&PolicyDifference { aspect, other_is_stricter }), "{more:?}");
            }
        }
        let off = policy(&PolicySettings::default());
        assert!(off.differences(&both).iter().all(|one| one.other_is_stricter));
    }
}
