//! Explanations of a password policy, as returned by the public sign-up.

use serde_json::{Value, json};

use super::rules::{CharacterSet, PolicyRule};

impl CharacterSet {
    /// The character set's description and code.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Lower => ("lower case letters (a-z)", "lowerCase"),
            Self::Upper => ("upper case letters (A-Z)", "upperCase"),
            Self::Digits => ("numbers (i.e. 0-9)", "numbers"),
            Self::Special => ("special characters (e.g. !@#$%^&*)", "specialCharacters"),
        }
    }
}

impl PolicyRule {
    /// The rule's message with `%d` and `%s` placeholders, its code, and the placeholders' values.
    fn words(&self) -> (&'static str, &'static str, Vec<Value>) {
        match self {
            Self::Length(1) => ("Non-empty password required", "nonEmpty", vec![]),
            Self::Length(min) => {
                ("At least %d characters in length", "lengthAtLeast", vec![json!(min)])
            }
            Self::Contains(_) => ("Should contain:", "shouldContain", vec![]),
            Self::ContainsAtLeast(min, sets) => (
                "Contain at least %d of the following %d types of characters:",
                "containsAtLeast",
                vec![json!(min), json!(sets.len())],
            ),
            Self::IdenticalChars => (
                "No more than %d identical characters in a row (e.g., \"%s\" not allowed)",
                "identicalChars",
                vec![json!(2), json!("aaa")],
            ),
            Self::SequentialChars => (
                "No more than %d sequential alphanumeric characters (e.g., \"%s\" not allowed)",
                "sequentialChars",
                vec![json!(2), json!("abc")],
            ),
            Self::MaxBytes(max) => {
                ("Maximum password length exceeded", "maxLength", vec![json!(max)])
            }
        }
    }

    /// The character sets that the rule lists.
    fn sets(&self) -> &[CharacterSet] {
        match self {
            Self::Contains(sets) | Self::ContainsAtLeast(_, sets) => sets,
            Self::Length(_) | Self::IdenticalChars | Self::SequentialChars | Self::MaxBytes(_) => {
                &[]
            }
        }
    }

    /// The rule as a JSON object that says whether `password` satisfies it.
    fn described(&self, password: &str) -> Value {
        let (message, code, format) = self.words();
        let mut object = json!({ "message": message, "code": code });
        if let Some(members) = object.as_object_mut() {
            if !format.is_empty() {
                members.insert("format".to_owned(), Value::from(format));
            }
            if !self.sets().is_empty() {
                let item = |set: &CharacterSet| {
                    let (message, code) = set.words();
                    json!({ "message": message, "code": code, "verified": set.is_in(password) })
                };
                members.insert("items".to_owned(), self.sets().iter().map(item).collect());
            }
            members.insert("verified".to_owned(), Value::from(self.holds(password)));
        }
        object
    }
}

/// The member `description` of a `PasswordStrengthError`.
pub(crate) fn description(rules: &[PolicyRule], password: &str) -> Value {
    let described: Vec<Value> = rules.iter().map(|rule| rule.described(password)).collect();
    json!({ "rules": described, "verified": rules.iter().all(|rule| rule.holds(password)) })
}

/// The member `policy` of a `PasswordStrengthError`: the rules as a list in Markdown.
pub(crate) fn markdown(rules: &[PolicyRule]) -> String {
    let mut lines = Vec::new();
    for rule in rules {
        let (message, _, format) = rule.words();
        let mut line = message.to_owned();
        // npm's `format` appends the values that no placeholder took.
        for value in format {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match line.find("%d").or_else(|| line.find("%s")) {
                Some(at) => line.replace_range(at..at + 2, &text),
                None => line = format!("{line} {text}"),
            }
        }
        lines.push(format!("* {line}"));
        lines.extend(rule.sets().iter().map(|set| format!(" * {}", set.words().0)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fair_policy_is_listed_in_markdown() {
        let rules = [
            PolicyRule::Length(8),
            PolicyRule::Contains(vec![
                CharacterSet::Lower,
                CharacterSet::Upper,
                CharacterSet::Digits,
            ]),
        ];
        assert_eq!(
            markdown(&rules),
            "* At least 8 characters in length\n* Should contain:\n * lower case letters (a-z)\n \
             * upper case letters (A-Z)\n * numbers (i.e. 0-9)"
        );
    }

    #[test]
    fn a_rule_reports_which_items_are_satisfied() {
        let rules =
            [PolicyRule::ContainsAtLeast(2, vec![CharacterSet::Lower, CharacterSet::Digits])];
        assert_eq!(
            description(&rules, "abc"),
            json!({
                "rules": [{
                    "message": "Contain at least %d of the following %d types of characters:",
                    "code": "containsAtLeast",
                    "format": [2, 2],
                    "items": [
                        {"message": "lower case letters (a-z)", "code": "lowerCase", "verified": true},
                        {"message": "numbers (i.e. 0-9)", "code": "numbers", "verified": false},
                    ],
                    "verified": false,
                }],
                "verified": false,
            })
        );
    }
}
