//! The check of a create-user body against Auth0's OpenAPI document, in the grammar of its
//! validator (npm `z-schema`, worded by npm `z-schema-errors`).

mod email;
mod field;
mod host;
mod kind;
mod uri;

use serde_json::Value;

use self::field::{FIELDS, SchemaField};
use crate::body::{BodyMembers, ParsedBody};

/// The words before each error.
const CONTEXT: &str = "Payload validation error:";
/// The words between two errors.
const SEPARATOR: &str = " (also) ";

/// Checks the body of a create-user call.
///
/// # Errors
///
/// One message with all that is wrong with it.
pub(crate) fn check(body: &ParsedBody) -> Result<&BodyMembers, String> {
    let errors = match body {
        ParsedBody::Object(members) => errors_of(members),
        ParsedBody::Other(value) => {
            let found = kind::name(value);
            vec![about_body(&format!("Expected type object but found type {found}"))]
        }
    };
    match body {
        ParsedBody::Object(members) if errors.is_empty() => Ok(members),
        _ => Err(errors.join(SEPARATOR)),
    }
}

/// The message for a member that the connection needs.
pub(crate) fn missing(name: &str) -> String {
    about_body(&format!("Missing required property: {name}"))
}

/// Everything wrong with the members, each error once. The validator names what is missing, then
/// what is unknown in the body's order, and then walks the members from the last to the first.
fn errors_of(members: &BodyMembers) -> Vec<String> {
    let mut errors = Vec::new();
    if members.get("connection").is_none() {
        errors.push(missing("connection"));
    }
    let unknown = members.iter().filter(|(name, _)| field(name).is_none());
    errors.extend(
        unknown.map(|(name, _)| about_body(&format!("Additional properties not allowed: {name}"))),
    );
    for (name, value) in members.iter().rev() {
        let Some(field) = field(name) else { continue };
        errors.extend(field.errors(value).into_iter().map(|error| about_field(field, &error)));
    }
    let mut once: Vec<String> = Vec::with_capacity(errors.len());
    for error in errors {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    once
}

/// The field of that name.
fn field(name: &str) -> Option<&'static SchemaField> {
    FIELDS.iter().find(|field| field.name == name)
}

/// An error about the body as a whole.
fn about_body(error: &str) -> String {
    format!("{CONTEXT} '{error}'.")
}

/// An error about one field.
fn about_field(field: &SchemaField, error: &str) -> String {
    format!("{CONTEXT} '{error}' on property {} ({}).", field.name, field.description)
}

/// Turns the words `true` and `false` of a form into the switches a schema of switches asks for.
pub(crate) fn with_switches(members: BodyMembers) -> BodyMembers {
    members.map(|name, value| {
        match (field(name).is_some_and(SchemaField::is_flag), value.as_str()) {
            (true, Some("true")) => Value::Bool(true),
            (true, Some("false")) => Value::Bool(false),
            _ => value,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> String {
        check(&serde_json::from_str(json).unwrap()).err().unwrap_or_default()
    }

    #[test]
    fn a_body_with_a_connection_alone_passes() {
        assert_eq!(message(r#"{"connection":"c"}"#), "");
    }

    #[test]
    fn seven_blanks_give_seven_errors_from_the_last_to_the_first() {
        let blank = r#"{"connection":"c","phone_number":"","given_name":"","family_name":"",
            "name":"","nickname":"","picture":"","username":""}"#;
        let short = |property: &str, description: &str| {
            format!(
                "Payload validation error: 'String is too short (0 chars), minimum 1' on property \
                 {property} ({description})."
            )
        };
        let expected = [
            short("username", "The user's username. Only valid if the connection requires a username"),
            "Payload validation error: 'Object didn't pass validation for format strict-uri: ' on \
             property picture (A URI pointing to the user's picture)."
                .to_owned(),
            short("nickname", "The user's nickname"),
            short("name", "The user's full name"),
            short("family_name", "The user's family name(s)"),
            short("given_name", "The user's given name(s)"),
            r"Payload validation error: 'String does not match pattern ^\+[0-9]{1,15}$: ' on property phone_number (The user's phone number (following the E.164 recommendation))."
                .to_owned(),
        ];
        assert_eq!(message(blank), expected.join(" (also) "));
    }

    #[test]
    fn missing_then_unknown_in_order_then_the_rest_from_the_last() {
        assert_eq!(
            message(r#"{"b":1,"email":"x","a":2,"nickname":null}"#),
            "Payload validation error: 'Missing required property: connection'. (also) \
             Payload validation error: 'Additional properties not allowed: b'. (also) \
             Payload validation error: 'Additional properties not allowed: a'. (also) \
             Payload validation error: 'Expected type string but found type null' on property \
             nickname (The user's nickname). (also) \
             Payload validation error: 'Object didn't pass validation for format email: x' on \
             property email (The user's email)."
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_named_by_its_kind() {
        for (json, kind) in [
            ("[]", "array"),
            ("null", "null"),
            ("3", "integer"),
            ("1.5", "number"),
            ("\"x\"", "string"),
        ] {
            assert_eq!(
                message(json),
                format!("Payload validation error: 'Expected type object but found type {kind}'.")
            );
        }
    }
}
