//! Validates a create-user body against Auth0's OpenAPI document. The errors are those of its
//! validator (npm `z-schema`, worded by npm `z-schema-errors`).

mod email;
mod field;
mod host;
mod uri;

use serde_json::Value;

use self::field::{FIELDS, SchemaField, type_name};
use crate::body::{BodyMembers, ParsedBody};

/// The prefix of each error.
const CONTEXT: &str = "Payload validation error:";
/// The separator between two errors.
const SEPARATOR: &str = " (also) ";

/// Validates the body of a create-user call.
///
/// # Errors
///
/// Returns one message with every error.
pub(crate) fn check(body: &ParsedBody) -> Result<&BodyMembers, String> {
    let members = match body {
        ParsedBody::Object(members) => members,
        ParsedBody::Other(value) => {
            let found = type_name(value);
            return Err(about_body(&format!("Expected type object but found type {found}")));
        }
    };
    let errors = errors_of(members);
    if errors.is_empty() { Ok(members) } else { Err(errors.join(SEPARATOR)) }
}

/// The names that `app_metadata` must not have: those of Auth0's documentation of metadata, and
/// `username` (<https://community.auth0.com/t/156584>).
const FORBIDDEN_APP_METADATA: [&str; 19] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email",
    "email_verified",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor",
    "multifactor_last_modified",
    "updated_at",
    "user_id",
    "username",
];

/// The first name in `app_metadata` that it must not have.
pub(crate) fn forbidden_app_metadata(members: &BodyMembers) -> Option<&str> {
    let names = members.get("app_metadata")?.as_object()?.keys();
    names.map(String::as_str).find(|name| FORBIDDEN_APP_METADATA.contains(name))
}

/// The message for a required member that is missing.
pub(crate) fn missing(name: &str) -> String {
    about_body(&format!("Missing required property: {name}"))
}

/// Every error in the members, each once. The validator first reports missing members, then unknown
/// ones in the body's order, and then checks the members from the last to the first.
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

/// The schema field with this name.
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

/// Converts `true` and `false` in a form to booleans, for members that the schema defines as
/// boolean.
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
    fn a_body_with_only_a_connection_is_valid() {
        assert_eq!(message(r#"{"connection":"c"}"#), "");
    }

    #[test]
    fn seven_empty_members_give_seven_errors_in_reverse_order() {
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
    fn errors_list_missing_then_unknown_then_invalid_members_in_reverse() {
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
    fn a_non_object_body_is_reported_by_its_type() {
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
