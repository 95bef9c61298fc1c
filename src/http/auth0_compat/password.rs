//! Rejected passwords: the only error of Auth0's endpoint that lists each rule, in the texts and
//! codes of Auth0's own policy engine.

use http::StatusCode;
use serde_json::{Value, json};

use super::error_response::ErrorResponse;
use crate::domain::PasswordRule;
use crate::domain::violation::CharacterType;

/// The error of a password that does not meet these rules. The code `invalid_password` has four
/// kinds, which differ by `name`.
pub(super) fn error(unmet: &[&PasswordRule], rules: &[PasswordRule]) -> ErrorResponse {
    let has = |matches: fn(&PasswordRule) -> bool| unmet.iter().any(|rule| matches(rule));
    let is_weak = has(is_strength_rule);
    let (name, message) = if is_weak {
        ("PasswordStrengthError", "Password is too weak")
    } else if has(|rule| matches!(rule, PasswordRule::TooCommon)) {
        ("PasswordDictionaryError", "Password is too common")
    } else if has(|rule| matches!(rule, PasswordRule::ContainsUserInfo { .. })) {
        ("PasswordNoUserInfoError", "Password contains user information")
    } else if has(|rule| matches!(rule, PasswordRule::UsedBefore)) {
        ("PasswordHistoryError", "Password has previously been used")
    } else {
        let text = "Password is part of a known breached credential dataset";
        return ErrorResponse::bad_request("password_leaked", text);
    };
    let error = ErrorResponse::new(name, "invalid_password", message, StatusCode::BAD_REQUEST)
        .with("message", message.into());
    if !is_weak {
        return error;
    }
    let listed: Vec<_> = listed_rules(unmet, rules).collect();
    let explained: Vec<_> = listed.iter().map(|(rule, met)| explain(rule, *met)).collect();
    let policy: Vec<_> = listed.iter().flat_map(|(rule, _)| policy_lines(rule)).collect();
    error
        .with("description", json!({ "rules": explained, "verified": false }))
        .with("policy", policy.join("\n").into())
}

/// Returns whether Auth0 calls a password that violates the rule weak.
const fn is_strength_rule(rule: &PasswordRule) -> bool {
    match rule {
        PasswordRule::TooShort { .. }
        | PasswordRule::TooLong { .. }
        | PasswordRule::CharacterTypes { .. }
        | PasswordRule::RepeatedCharacters { .. }
        | PasswordRule::SequentialCharacters { .. }
        | PasswordRule::TooWeak => true,
        PasswordRule::TooCommon
        | PasswordRule::ContainsUserInfo { .. }
        | PasswordRule::Breached
        | PasswordRule::UsedBefore => false,
    }
}

/// The policy's rules about the password alone, and whether each is met. The maximum length is
/// listed only if it is exceeded; no legacy policy has such a rule.
fn listed_rules<'r>(
    unmet: &'r [&'r PasswordRule],
    rules: &'r [PasswordRule],
) -> impl Iterator<Item = (&'r PasswordRule, bool)> {
    let of_policy = rules.iter().filter(|rule| is_strength_rule(rule)).map(|rule| {
        let failed = unmet.iter().find(|unmet| unmet.code() == rule.code());
        (failed.map_or(rule, |failed| *failed), failed.is_none())
    });
    let longest = unmet.iter().filter(|rule| matches!(rule, PasswordRule::TooLong { .. }));
    of_policy.chain(longest.map(|rule| (*rule, false)))
}

/// A rule's text with placeholders `%d` and `%s`, its code, and the values for the placeholders.
fn message(rule: &PasswordRule) -> Option<(&'static str, &'static str, Vec<Value>)> {
    Some(match rule {
        PasswordRule::TooShort { min_length } => {
            ("At least %d characters in length", "lengthAtLeast", vec![json!(min_length)])
        }
        PasswordRule::TooLong { max_bytes } => {
            ("Maximum password length exceeded", "maxLength", vec![json!(max_bytes)])
        }
        PasswordRule::CharacterTypes { required, types, .. } if *required == types.len() => {
            ("Should contain:", "shouldContain", Vec::new())
        }
        PasswordRule::CharacterTypes { required, types, .. } => (
            "Contain at least %d of the following %d types of characters:",
            "containsAtLeast",
            vec![json!(required), json!(types.len())],
        ),
        PasswordRule::RepeatedCharacters { max } => (
            "No more than %d identical characters in a row (e.g., \"%s\" not allowed)",
            "identicalChars",
            vec![json!(max), json!("aaa")],
        ),
        PasswordRule::SequentialCharacters { max } => (
            "No more than %d sequential alphanumeric characters (e.g., \"%s\" not allowed)",
            "sequentialChars",
            vec![json!(max), json!("abc")],
        ),
        PasswordRule::TooCommon
        | PasswordRule::ContainsUserInfo { .. }
        | PasswordRule::Breached
        | PasswordRule::UsedBefore
        | PasswordRule::TooWeak => return None,
    })
}

/// The character types that a rule lists, and those that the password lacks.
fn types(rule: &PasswordRule) -> (&[CharacterType], &[CharacterType]) {
    match rule {
        PasswordRule::CharacterTypes { types, missing, .. } => (types, missing),
        PasswordRule::TooShort { .. }
        | PasswordRule::TooLong { .. }
        | PasswordRule::RepeatedCharacters { .. }
        | PasswordRule::SequentialCharacters { .. }
        | PasswordRule::TooCommon
        | PasswordRule::ContainsUserInfo { .. }
        | PasswordRule::Breached
        | PasswordRule::UsedBefore
        | PasswordRule::TooWeak => (&[], &[]),
    }
}

/// A character type's text and code.
const fn type_message(kind: CharacterType) -> (&'static str, &'static str) {
    match kind {
        CharacterType::Lowercase => ("lower case letters (a-z)", "lowerCase"),
        CharacterType::Uppercase => ("upper case letters (A-Z)", "upperCase"),
        CharacterType::Number => ("numbers (i.e. 0-9)", "numbers"),
        CharacterType::Special => ("special characters (e.g. !@#$%^&*)", "specialCharacters"),
    }
}

/// A rule in the tree that explains the error.
fn explain(rule: &PasswordRule, met: bool) -> Value {
    let Some((message, code, format)) = message(rule) else { return Value::Null };
    let mut explained = json!({ "message": message, "code": code, "verified": met });
    let (types, missing) = types(rule);
    let item = |kind: &CharacterType| {
        let (message, code) = type_message(*kind);
        // Once the rule is met, the types that the password lacks do not matter.
        json!({ "message": message, "code": code, "verified": met || !missing.contains(kind) })
    };
    if let Some(members) = explained.as_object_mut() {
        if !format.is_empty() {
            members.insert("format".to_owned(), format.into());
        }
        if !types.is_empty() {
            members.insert("items".to_owned(), types.iter().map(item).collect());
        }
    }
    explained
}

/// The lines of a rule in the Markdown list of the policy.
fn policy_lines(rule: &PasswordRule) -> Vec<String> {
    let Some((message, _, format)) = message(rule) else { return Vec::new() };
    let mut line = message.to_owned();
    for value in format {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let free = line.find("%d").or_else(|| line.find("%s"));
        match free {
            Some(at) => line.replace_range(at..at + 2, &text),
            // npm's `format` appends a value that has no placeholder.
            None => line = format!("{line} {text}"),
        }
    }
    let types = types(rule).0.iter().map(|kind| format!(" * {}", type_message(*kind).0));
    std::iter::once(format!("* {line}")).chain(types).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_auth0s_names_and_codes() {
        for (rule, name, code) in [
            (PasswordRule::TooWeak, "PasswordStrengthError", "invalid_password"),
            (PasswordRule::TooCommon, "PasswordDictionaryError", "invalid_password"),
            (
                PasswordRule::ContainsUserInfo { fields: Vec::new() },
                "PasswordNoUserInfoError",
                "invalid_password",
            ),
            (PasswordRule::UsedBefore, "PasswordHistoryError", "invalid_password"),
            (PasswordRule::Breached, "BadRequestError", "password_leaked"),
        ] {
            let error = error(&[&rule], &[]);
            assert_eq!(error.body["name"], name);
            assert_eq!(error.body["code"], code);
        }
    }

    #[test]
    fn a_weak_password_is_explained_rule_by_rule() {
        let types = CharacterType::ALL.to_vec();
        let of_types =
            |missing| PasswordRule::CharacterTypes { required: 3, types: types.clone(), missing };
        let rules = [PasswordRule::TooShort { min_length: 8 }, of_types(types.clone())];
        let unmet = of_types(vec![CharacterType::Uppercase, CharacterType::Special]);
        let body = error(&[&unmet], &rules).body;
        assert_eq!(
            body["description"],
            json!({
                "rules": [
                    {
                        "message": "At least %d characters in length",
                        "format": [8],
                        "code": "lengthAtLeast",
                        "verified": true,
                    },
                    {
                        "message": "Contain at least %d of the following %d types of characters:",
                        "code": "containsAtLeast",
                        "format": [3, 4],
                        "items": [
                            {"message": "lower case letters (a-z)", "code": "lowerCase", "verified": true},
                            {"message": "upper case letters (A-Z)", "code": "upperCase", "verified": false},
                            {"message": "numbers (i.e. 0-9)", "code": "numbers", "verified": true},
                            {
                                "message": "special characters (e.g. !@#$%^&*)",
                                "code": "specialCharacters",
                                "verified": false,
                            },
                        ],
                        "verified": false,
                    },
                ],
                "verified": false,
            })
        );
        assert_eq!(
            body["policy"],
            "* At least 8 characters in length\n* Contain at least 3 of the following 4 types of \
             characters:\n * lower case letters (a-z)\n * upper case letters (A-Z)\n * numbers (i.e. \
             0-9)\n * special characters (e.g. !@#$%^&*)"
        );
    }
}
