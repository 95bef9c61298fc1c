//! Refused passwords: the one error of Auth0's endpoint that explains itself, rule by rule, in the
//! words and codes of Auth0's own policy engine.

use http::StatusCode;
use serde_json::{Value, json};

use super::refusal::{Refused, bad_request};
use crate::domain::PasswordRule;
use crate::domain::violation::CharacterType;

/// The error of a password that does not meet these rules. Only the name tells the kinds apart.
pub(super) fn refused(unmet: &[&PasswordRule], rules: &[PasswordRule]) -> Refused {
    let has = |wanted: fn(&PasswordRule) -> bool| unmet.iter().any(|rule| wanted(rule));
    let (name, message) = if has(is_of_strength) {
        ("PasswordStrengthError", "Password is too weak")
    } else if has(|rule| matches!(rule, PasswordRule::TooCommon)) {
        ("PasswordDictionaryError", "Password is too common")
    } else if has(|rule| matches!(rule, PasswordRule::ContainsUserInfo { .. })) {
        ("PasswordNoUserInfoError", "Password contains user information")
    } else if has(|rule| matches!(rule, PasswordRule::UsedBefore)) {
        ("PasswordHistoryError", "Password has previously been used")
    } else {
        let text = "Password is part of a known breached credential dataset";
        return bad_request("password_leaked", text);
    };
    let mut body = json!({
        "name": name,
        "message": message,
        "code": "invalid_password",
        "description": message,
        "statusCode": 400,
    });
    if name == "PasswordStrengthError"
        && let Some(members) = body.as_object_mut()
    {
        let told: Vec<_> = told(unmet, rules).collect();
        let described: Vec<_> = told.iter().map(|(rule, met)| described(rule, *met)).collect();
        let description = json!({ "rules": described, "verified": false });
        let policy: Vec<_> = told.iter().flat_map(|(rule, _)| lines(rule)).collect();
        members.insert("description".to_owned(), description);
        members.insert("policy".to_owned(), policy.join("\n").into());
    }
    Refused { status: StatusCode::BAD_REQUEST, body }
}

/// Whether Auth0 calls a password weak that does not meet it.
const fn is_of_strength(rule: &PasswordRule) -> bool {
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

/// The policy's rules about the password alone, and whether each is met. The longest length is told
/// where it is not met; it is a rule of no legacy policy.
fn told<'r>(
    unmet: &'r [&'r PasswordRule],
    rules: &'r [PasswordRule],
) -> impl Iterator<Item = (&'r PasswordRule, bool)> {
    let of_policy = rules.iter().filter(|rule| is_of_strength(rule)).map(|rule| {
        let failed = unmet.iter().find(|unmet| unmet.code() == rule.code());
        (failed.map_or(rule, |failed| *failed), failed.is_none())
    });
    let longest = unmet.iter().filter(|rule| matches!(rule, PasswordRule::TooLong { .. }));
    of_policy.chain(longest.map(|rule| (*rule, false)))
}

/// The sentence of a rule with `%d` and `%s` for its numbers, its code, and those numbers.
fn words(rule: &PasswordRule) -> Option<(&'static str, &'static str, Vec<Value>)> {
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

/// The character types a rule lists, and which of them are missing.
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

/// What a character type is called, and its code.
const fn type_words(kind: CharacterType) -> (&'static str, &'static str) {
    match kind {
        CharacterType::Lowercase => ("lower case letters (a-z)", "lowerCase"),
        CharacterType::Uppercase => ("upper case letters (A-Z)", "upperCase"),
        CharacterType::Number => ("numbers (i.e. 0-9)", "numbers"),
        CharacterType::Special => ("special characters (e.g. !@#$%^&*)", "specialCharacters"),
    }
}

/// A rule in the tree that explains the error.
fn described(rule: &PasswordRule, met: bool) -> Value {
    let Some((message, code, format)) = words(rule) else { return Value::Null };
    let mut described = json!({ "message": message, "code": code, "verified": met });
    let (types, missing) = types(rule);
    let item = |kind: &CharacterType| {
        let (message, code) = type_words(*kind);
        // Which types a password that meets the rule has is not known here, and all are fine.
        json!({ "message": message, "code": code, "verified": met || !missing.contains(kind) })
    };
    if let Some(members) = described.as_object_mut() {
        if !format.is_empty() {
            members.insert("format".to_owned(), format.into());
        }
        if !types.is_empty() {
            members.insert("items".to_owned(), types.iter().map(item).collect());
        }
    }
    described
}

/// A rule in the Markdown that lists the policy.
fn lines(rule: &PasswordRule) -> Vec<String> {
    let Some((message, _, format)) = words(rule) else { return Vec::new() };
    let mut line = message.to_owned();
    for value in format {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let free = line.find("%d").or_else(|| line.find("%s"));
        match free {
            Some(at) => line.replace_range(at..at + 2, &text),
            // As npm's `format` does with a value that no placeholder takes.
            None => line = format!("{line} {text}"),
        }
    }
    let types = types(rule).0.iter().map(|kind| format!(" * {}", type_words(*kind).0));
    std::iter::once(format!("* {line}")).chain(types).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_refusal_have_auth0s_names() {
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
            let refused = refused(&[&rule], &[]);
            assert_eq!(refused.body["name"], name);
            assert_eq!(refused.body["code"], code);
        }
    }

    #[test]
    fn what_is_wrong_is_told_rule_by_rule() {
        let types = CharacterType::ALL.to_vec();
        let of_types =
            |missing| PasswordRule::CharacterTypes { required: 3, types: types.clone(), missing };
        let rules = [PasswordRule::TooShort { min_length: 8 }, of_types(types.clone())];
        let unmet = of_types(vec![CharacterType::Uppercase, CharacterType::Special]);
        let body = refused(&[&unmet], &rules).body;
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
