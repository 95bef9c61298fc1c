//! What goes in and out, for the document alone: bodies are read by `http::body` and judged by the
//! domain, which knows more than a schema can say.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// The fields of a sign-up. Which are taken is configuration; `GET /signup/policy` tells.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "email": "ada@example.com",
    "password": "Difference-Engine-1843",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "nickname": "Countess",
    "picture": "https://www.example.com/ada.png",
}))]
pub struct SignUp {
    /// Trimmed and lower-cased.
    #[schema(format = "email", max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// As typed; the tenant's policy applies, and at most 72 bytes of UTF-8.
    #[schema(format = "password", example = "Difference-Engine-1843")]
    pub password: String,
    /// The first name.
    #[schema(max_length = 150, example = "Ada")]
    pub given_name: Option<String>,
    /// The last name.
    #[schema(max_length = 150, example = "Lovelace")]
    pub family_name: Option<String>,
    /// The whole name; left out, it is composed.
    #[schema(max_length = 300)]
    pub name: Option<String>,
    /// What friends say.
    #[schema(max_length = 300)]
    pub nickname: Option<String>,
    /// The address of a picture.
    #[schema(format = "uri")]
    pub picture: Option<String>,
    /// Where the connection has usernames.
    #[schema(max_length = 128)]
    pub username: Option<String>,
    /// Where the connection has phone numbers.
    #[schema(example = "+441632960961")]
    pub phone_number: Option<String>,
    /// The keys that configuration allows.
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// That the terms are accepted; in a form `true`, `on`, `1` or `yes`.
    pub terms: Option<bool>,
    /// The languages of the answer, the most wanted first.
    #[schema(example = "de-AT en")]
    pub ui_locales: Option<String>,
}

/// The user exists now.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "status": "created",
    "user": {
        "user_id": "auth0|507f1f77bcf86cd799439020",
        "email": "ada@example.com",
        "email_verified": false,
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "nickname": "Countess",
        "picture": "https://www.example.com/ada.png",
    },
}))]
pub struct Created {
    /// `created`
    #[schema(example = "created")]
    pub status: String,
    /// As Auth0 answered.
    pub user: User,
}

/// The sign-up was taken; whether the address is a new one is not told.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"status": "accepted"}))]
pub struct Accepted {
    /// `accepted`
    #[schema(example = "accepted")]
    pub status: String,
}

/// A user as Auth0 answers; what it has not is absent.
#[derive(Debug, ToSchema)]
pub struct User {
    /// `auth0|` and the id within the connection.
    #[schema(example = "auth0|507f1f77bcf86cd799439020")]
    pub user_id: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: Option<bool>,
    /// The whole name.
    pub name: Option<String>,
    /// The first name.
    pub given_name: Option<String>,
    /// The last name.
    pub family_name: Option<String>,
    /// What friends say.
    pub nickname: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// The username.
    pub username: Option<String>,
    /// The phone number.
    pub phone_number: Option<String>,
}

/// What went wrong (RFC 9457). Decide on `code`.
#[derive(Debug, ToSchema)]
pub struct Problem {
    /// `urn:auth0-signup:problem:` and the code.
    pub r#type: String,
    /// The same for every occurrence, in the caller's language.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What to do, to a developer, in the caller's language.
    pub detail: String,
    /// What to do, to the person who signs up, where that is not the same.
    #[schema(nullable = false)]
    pub advice: Option<String>,
    /// The stable code.
    pub code: String,
    /// As in `X-Request-Id`.
    pub request_id: String,
    /// Seconds, as in `Retry-After`.
    #[schema(nullable = false)]
    pub retry_after: Option<u64>,
    /// Where a challenge is given whose proof lets it pass, in place of the wait.
    #[schema(nullable = false)]
    pub challenge: Option<String>,
    /// Every field at fault, with 422 only.
    #[schema(nullable = false)]
    pub errors: Option<Vec<FieldFault>>,
}

/// What is wrong with a field.
#[derive(Debug, ToSchema)]
pub struct FieldFault {
    /// RFC 6901 pointer into the JSON form of the body.
    pub pointer: String,
    /// The field's name as code would write it.
    pub field: String,
    /// The stable code.
    pub code: String,
    /// To show beside the field, in the caller's language.
    pub message: String,
    /// The numbers and names behind the message.
    #[schema(nullable = false)]
    pub params: Option<BTreeMap<String, Value>>,
}

/// What a form has to hold.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "fields": {
        "email": {
            "label": "Email address",
            "type": "string",
            "required": true,
            "format": "email",
            "max_length": 254,
        },
        "password": {
            "label": "Password",
            "type": "string",
            "required": true,
            "format": "password",
        },
    },
    "user_metadata": {
        "plan": {
            "label": "Plan",
            "type": "string",
            "required": true,
            "values": ["free", "pro"],
            "options": {"free": "Free", "pro": "Professional"},
        },
    },
    "password": {
        "policy": "good",
        "min_length": 8,
        "max_bytes": 72,
        "character_types": ["lowercase", "uppercase", "number", "special"],
        "rule": "three_of_four",
        "identical_characters": "allow",
        "sequential_characters": "allow",
        "rules": [{
            "code": "password.too_short",
            "message": "At least 8 characters",
            "params": {"min_length": 8},
        }],
    },
    "terms": {"version": "2026-11", "url": "https://www.example.com/terms", "required": true},
    "challenge": {
        "kinds": ["proof_of_work"],
        "endpoint": "/signup/challenge",
        "site_key": null,
        "action": null,
    },
    "existence": "reveal",
    "languages": ["en", "de", "fr", "es", "ja", "ar"],
    "texts": {"submit": "Create account", "wait": "Try again in %seconds% seconds."},
}))]
pub struct Policy {
    /// The fields that are taken, each with its label, its type, its bounds and whether it is
    /// required.
    pub fields: BTreeMap<String, Value>,
    /// The keys of `user_metadata` likewise.
    pub user_metadata: BTreeMap<String, Value>,
    /// The password's rules.
    pub password: BTreeMap<String, Value>,
    /// The terms that people accept; null where there are none.
    pub terms: Option<BTreeMap<String, Value>>,
    /// Which proofs are asked for, and where.
    pub challenge: BTreeMap<String, Value>,
    /// Whether callers are told that an address is taken.
    #[schema(example = "reveal")]
    pub existence: String,
    /// The languages of the texts.
    pub languages: Vec<String>,
    /// What `/signup.js` says by itself, and the words of a form, in the language of the document.
    pub texts: BTreeMap<String, String>,
}

/// What Auth0Compat, auth0.js and the SDKs send; `client_id`, `connection` and what belongs to the log-in are
/// not forwarded.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "client_id": "the-applications-id",
    "connection": "Username-Password-Authentication",
    "email": "ada@example.com",
    "password": "Difference-Engine-1843",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "user_metadata": {},
}))]
pub struct Auth0SignUp {
    /// The application.
    pub client_id: Option<String>,
    /// The connection.
    pub connection: Option<String>,
    /// The e-mail address.
    #[schema(format = "email", example = "ada@example.com")]
    pub email: String,
    /// The password.
    #[schema(format = "password", example = "Difference-Engine-1843")]
    pub password: String,
    /// The first name.
    pub given_name: Option<String>,
    /// The last name.
    pub family_name: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// What friends say.
    pub nickname: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// The username.
    pub username: Option<String>,
    /// The phone number.
    pub phone_number: Option<String>,
    /// The keys that configuration allows.
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// That the terms are accepted.
    pub terms: Option<bool>,
}

/// The new user as Auth0's public endpoint answers, with the attributes that were given.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "_id": "507f1f77bcf86cd799439020",
    "email": "ada@example.com",
    "email_verified": false,
    "given_name": "Ada",
    "family_name": "Lovelace",
}))]
pub struct Auth0SignedUp {
    /// The id within the connection.
    #[schema(rename = "_id", example = "507f1f77bcf86cd799439020")]
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the address is verified.
    pub email_verified: bool,
}

/// A refusal in the shapes of Auth0's public endpoint.
#[derive(Debug, ToSchema)]
pub struct Auth0Error {
    /// The kind of error.
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The stable code.
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// In words; of a weak password an object that explains rule by rule.
    pub description: Option<Value>,
    /// Where that is all there is to say.
    #[schema(nullable = false)]
    pub error: Option<String>,
}
