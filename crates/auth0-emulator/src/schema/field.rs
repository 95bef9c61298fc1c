//! The members of a create-user body, with limits and descriptions as in Auth0's OpenAPI document.

use serde_json::Value;

use super::{email, uri};

/// One member of the body.
#[derive(Debug)]
pub(super) struct SchemaField {
    /// Its name.
    pub(super) name: &'static str,
    /// Its description, without the final full stop.
    pub(super) description: &'static str,
    /// The rule for its value.
    rule: FieldRule,
}

/// The rule for a value.
#[derive(Debug)]
enum FieldRule {
    /// A string with a minimum and maximum of code points.
    Text(usize, usize),
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// The URL of a page or picture.
    Uri,
    /// A string of at most 255 code points without white space.
    Id,
    /// A boolean.
    Flag,
    /// An object with arbitrary members.
    Object,
}

/// Every member in the schema.
pub(super) const FIELDS: &[SchemaField] = &[
    field("email", FieldRule::Email, "The user's email"),
    field(
        "phone_number",
        FieldRule::Phone,
        "The user's phone number (following the E.164 recommendation)",
    ),
    field(
        "user_metadata",
        FieldRule::Object,
        "Data related to the user that does not affect the application's core functionality",
    ),
    field(
        "blocked",
        FieldRule::Flag,
        "Whether this user was blocked by an administrator (true) or not (false)",
    ),
    field(
        "email_verified",
        FieldRule::Flag,
        "Whether this email address is verified (true) or unverified (false). User will receive a \
         verification email after creation if `email_verified` is false or not specified",
    ),
    field(
        "phone_verified",
        FieldRule::Flag,
        "Whether this phone number has been verified (true) or not (false)",
    ),
    field(
        "app_metadata",
        FieldRule::Object,
        "Data related to the user that does affect the application's core functionality",
    ),
    field("given_name", FieldRule::Text(1, 150), "The user's given name(s)"),
    field("family_name", FieldRule::Text(1, 150), "The user's family name(s)"),
    field("name", FieldRule::Text(1, 300), "The user's full name"),
    field("nickname", FieldRule::Text(1, 300), "The user's nickname"),
    field("picture", FieldRule::Uri, "A URI pointing to the user's picture"),
    field("user_id", FieldRule::Id, "The external user's id provided by the identity provider"),
    field(
        "connection",
        FieldRule::Text(1, usize::MAX),
        "Name of the connection this user should be created in",
    ),
    field(
        "password",
        FieldRule::Text(1, usize::MAX),
        "Initial password for this user. Only valid for auth0 connection strategy",
    ),
    field(
        "verify_email",
        FieldRule::Flag,
        "Whether the user will receive a verification email after creation (true) or no email \
         (false). Overrides behavior of `email_verified` parameter",
    ),
    field(
        "username",
        FieldRule::Text(1, 128),
        "The user's username. Only valid if the connection requires a username",
    ),
];

/// Builds a field. A function, only to keep the table readable.
const fn field(name: &'static str, rule: FieldRule, description: &'static str) -> SchemaField {
    SchemaField { name, description, rule }
}

impl SchemaField {
    /// Returns whether the value is a boolean.
    pub(super) fn is_flag(&self) -> bool {
        matches!(self.rule, FieldRule::Flag)
    }

    /// The errors in `value`, without the surrounding message.
    pub(super) fn errors(&self, value: &Value) -> Vec<String> {
        let expected = match self.rule {
            FieldRule::Flag => "boolean",
            FieldRule::Object => "object",
            _ => "string",
        };
        let found = type_name(value);
        if found != expected {
            return vec![format!("Expected type {expected} but found type {found}")];
        }
        let Some(text) = value.as_str() else {
            return Vec::new();
        };
        match self.rule {
            FieldRule::Text(min, max) => length_error(text, min, max).into_iter().collect(),
            FieldRule::Email => format_error(text, "email", email::is_email(text)),
            FieldRule::Uri => format_error(text, "strict-uri", uri::is_url(text)),
            FieldRule::Phone => pattern_error(text, r"^\+[0-9]{1,15}$", is_phone(text)),
            FieldRule::Id => {
                let mut errors: Vec<String> = length_error(text, 0, 255).into_iter().collect();
                let solid = !text.contains(super::host::is_js_space);
                errors.extend(pattern_error(text, r"^\S*$", solid));
                errors
            }
            FieldRule::Flag | FieldRule::Object => Vec::new(),
        }
    }
}

/// The validator's name for the type of `value`.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) => {
            // JavaScript has one number type, so 1.0 is an integer.
            let whole = number.as_f64().is_none_or(|number| number.fract() == 0.0);
            if whole { "integer" } else { "number" }
        }
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The error for a string that is too short or too long. The length is compared in code points and
/// reported in UTF-16 units, as the validator does.
fn length_error(text: &str, min: usize, max: usize) -> Option<String> {
    let units = text.encode_utf16().count();
    match text.chars().count() {
        points if points < min => {
            Some(format!("String is too short ({units} chars), minimum {min}"))
        }
        points if points > max => {
            Some(format!("String is too long ({units} chars), maximum {max}"))
        }
        _ => None,
    }
}

/// The error for a string that does not have the format.
fn format_error(text: &str, format: &str, passes: bool) -> Vec<String> {
    let error = || format!("Object didn't pass validation for format {format}: {text}");
    if passes { Vec::new() } else { vec![error()] }
}

/// The error for a string that does not match the pattern.
fn pattern_error(text: &str, pattern: &str, passes: bool) -> Vec<String> {
    let error = || format!("String does not match pattern {pattern}: {text}");
    if passes { Vec::new() } else { vec![error()] }
}

/// Returns whether `text` is a plus sign and one to fifteen digits.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(name: &str, value: &Value) -> Vec<String> {
        FIELDS.iter().find(|field| field.name == name).unwrap().errors(value)
    }

    #[test]
    fn length_is_checked_in_code_points_and_reported_in_utf16_units() {
        assert!(errors("given_name", &json!("😀".repeat(150))).is_empty());
        assert_eq!(
            errors("given_name", &json!("😀".repeat(151))),
            ["String is too long (302 chars), maximum 150"]
        );
        assert!(errors("name", &json!("x".repeat(300))).is_empty());
    }

    #[test]
    fn a_user_id_can_have_two_errors() {
        let id = "a b".repeat(100);
        assert_eq!(
            errors("user_id", &json!(id)),
            [
                "String is too long (300 chars), maximum 255".to_owned(),
                format!(r"String does not match pattern ^\S*$: {id}"),
            ]
        );
        assert!(errors("user_id", &json!("")).is_empty());
    }

    #[test]
    fn types_have_their_javascript_names() {
        assert_eq!(errors("name", &json!(1.0)), ["Expected type string but found type integer"]);
        assert_eq!(errors("name", &json!(1.5)), ["Expected type string but found type number"]);
        assert_eq!(
            errors("blocked", &json!("true")),
            ["Expected type boolean but found type string"]
        );
        assert_eq!(
            errors("user_metadata", &json!([])),
            ["Expected type object but found type array"]
        );
    }

    #[test]
    fn a_phone_number_is_a_plus_and_up_to_fifteen_digits() {
        for (text, passes) in [
            ("+1", true),
            ("+123456789012345", true),
            ("+1234567890123456", false),
            ("+", false),
            ("1234", false),
            ("+12 34", false),
            ("+12\n", false),
        ] {
            assert_eq!(is_phone(text), passes, "{text:?}");
        }
    }
}
