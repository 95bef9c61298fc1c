//! The password policy as `/signup.js` and password managers read it.

use serde_json::{Map, Value};

use crate::domain::PasswordPolicy;
use crate::domain::password::MAX_BYTES;
use crate::domain::violation::CharacterType;

/// The rules by which `/signup.js` checks a password while it is typed: on the page and in
/// `GET /signup/policy`.
pub fn password_checks(policy: &PasswordPolicy) -> Map<String, Value> {
    let types: Vec<_> = policy.character_types().iter().map(|kind| kind.name()).collect();
    let blocked = |blocks: bool| Value::from(if blocks { "block" } else { "allow" });
    let checks = [
        ("min_length", policy.min_length().into()),
        ("max_bytes", MAX_BYTES.into()),
        ("character_types", types.into()),
        ("rule", policy.character_type_rule().name().into()),
        ("identical_characters", blocked(policy.blocks_identical_characters())),
        ("sequential_characters", blocked(policy.blocks_sequential_characters())),
        ("dictionary", policy.common_passwords().is_some().into()),
    ];
    checks.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// The value of the attribute `passwordrules`, by which password managers generate a password that
/// meets the policy (Apple's "Password Rules Validation Tool" describes the syntax).
pub fn password_rules_attribute(policy: &PasswordPolicy) -> String {
    let required = policy.character_types().iter().map(|kind| match kind {
        CharacterType::Lowercase => "required: lower; ",
        CharacterType::Uppercase => "required: upper; ",
        CharacterType::Number => "required: digit; ",
        CharacterType::Special => "required: [-.!@#$%&*_+]; ",
    });
    let consecutive =
        if policy.blocks_identical_characters() { " max-consecutive: 2;" } else { "" };
    let length = format!("minlength: {};", policy.min_length());
    // Only ASCII, so that each character is one of the bytes that bcrypt reads.
    let longest = format!(" maxlength: {MAX_BYTES}; allowed: ascii-printable;");
    required.chain([&*length, &longest, consecutive]).collect()
}
