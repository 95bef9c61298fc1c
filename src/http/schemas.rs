//! The schemas of requests and responses, for the OpenAPI document only. `http::body` reads bodies
//! and the domain checks them, by rules that a schema cannot express. `openapi::attributes` adds
//! the root attributes.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// The fields of a sign-up. The settings decide which are accepted; `GET /signup/policy` lists them.
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
    /// The e-mail address. The service trims it and converts it to lower case.
    #[schema(format = "email", max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// The password, at most 72 bytes of UTF-8. The tenant's policy applies.
    #[schema(format = "password", example = "Difference-Engine-1843")]
    pub password: String,
    /// The keys that configuration allows.
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// The acceptance of the terms.
    #[schema(schema_with = terms)]
    pub terms: Option<String>,
    /// The languages of the response, in order of preference.
    #[schema(example = "de-AT en")]
    pub ui_locales: Option<String>,
    /// The idempotency key of a form that cannot set the header.
    #[schema(min_length = 16, max_length = 255)]
    pub idempotency_key: Option<String>,
    /// Where a browser goes on: an entry of `page.return_to`.
    #[schema(format = "uri")]
    pub return_to: Option<String>,
    /// The token of the built-in page's form.
    pub form_token: Option<String>,
    /// A proof of work: base64 of JSON, in ALTCHA's format.
    #[schema(max_length = 8192)]
    pub altcha: Option<String>,
    /// The token of a Turnstile captcha.
    #[schema(rename = "cf-turnstile-response", max_length = 8192)]
    pub turnstile: Option<String>,
    /// The token of an hCaptcha.
    #[schema(rename = "h-captcha-response", max_length = 8192)]
    pub hcaptcha: Option<String>,
    /// The token of a reCAPTCHA.
    #[schema(rename = "g-recaptcha-response", max_length = 8192)]
    pub recaptcha: Option<String>,
    /// Reserved. It has no effect.
    pub invitation: Option<String>,
    /// The charset of a form, which browsers fill in. Only UTF-8 is accepted.
    #[schema(rename = "_charset_")]
    pub charset: Option<String>,
}

/// The schema of the acceptance.
fn terms() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Boolean, Type::String, Type::Null]))
        .description(Some(
            "The acceptance of the terms: `true`, or best their version as it was shown. In a form \
             also `on`, `1` or `yes`.",
        ))
        .examples([Value::from(true), Value::from("2026-11")])
        .build()
}

/// A challenge to solve, and whether a proof is needed.
#[derive(Debug, ToSchema)]
#[schema(as = Challenge)]
pub struct ChallengeSchema {
    /// True if a sign-up from this address without a proof is rejected now.
    pub required: bool,
    /// `proof_of_work` or the name of a captcha.
    #[schema(example = "proof_of_work")]
    pub kind: String,
    /// The parameters of a proof of work, in ALTCHA's format (version 2).
    #[schema(nullable = false)]
    pub parameters: Option<BTreeMap<String, Value>>,
    /// The signature of a proof of work.
    #[schema(nullable = false)]
    pub signature: Option<String>,
    /// The public key of a captcha's widget.
    #[schema(nullable = false)]
    pub site_key: Option<String>,
}

/// A created user.
#[derive(Debug, ToSchema)]
#[schema(as = Created, example = json!({
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
pub struct CreatedSchema {
    /// `created`
    #[schema(example = "created")]
    pub status: String,
    /// The user, as Auth0 returned it.
    pub user: UserSchema,
}

/// An accepted sign-up. It does not reveal whether the address is new.
#[derive(Debug, ToSchema)]
#[schema(as = Accepted, example = json!({"status": "accepted"}))]
pub struct AcceptedSchema {
    /// `accepted`
    #[schema(example = "accepted")]
    pub status: String,
}

/// A user as Auth0 returns it. Attributes without a value are absent.
#[derive(Debug, ToSchema)]
#[schema(as = User)]
pub struct UserSchema {
    /// `auth0|` and the id within the connection.
    #[schema(example = "auth0|507f1f77bcf86cd799439020")]
    pub user_id: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// True if the address is verified.
    pub email_verified: Option<bool>,
}

/// An error (RFC 9457). Clients decide by `code`.
#[derive(Debug, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// `urn:auth0-signup:problem:` and the code.
    pub r#type: String,
    /// The title, the same for every occurrence, in the caller's language.
    pub title: String,
    /// The status of the response.
    pub status: u16,
    /// Advice for a developer, in the caller's language.
    pub detail: String,
    /// The heading of the problem for the person who signs up.
    pub heading: String,
    /// Advice for the person who signs up. Absent where the errors are the advice.
    #[schema(nullable = false)]
    pub advice: Option<String>,
    /// The stable code.
    pub code: String,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// The wait in seconds, as in `Retry-After`.
    #[schema(nullable = false)]
    pub retry_after: Option<u64>,
    /// The path of a challenge whose proof replaces the wait.
    #[schema(nullable = false)]
    pub challenge: Option<String>,
    /// Every field with an error, with status 422 only.
    #[schema(nullable = false)]
    pub errors: Option<Vec<FieldErrorSchema>>,
}

/// An error of a field.
#[derive(Debug, ToSchema)]
#[schema(as = FieldErrorDetail)]
pub struct FieldErrorSchema {
    /// An RFC 6901 pointer into the JSON form of the body.
    pub pointer: String,
    /// The field's name as in code, such as `user_metadata.plan`.
    pub field: String,
    /// The stable code.
    pub code: String,
    /// The text to show beside the field, in the caller's language.
    pub message: String,
    /// The parameters of the message: numbers and names.
    #[schema(nullable = false)]
    pub params: Option<BTreeMap<String, Value>>,
}

/// The fields and rules of a form.
#[derive(Debug, ToSchema)]
#[schema(as = Policy, example = json!({
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
    "order": ["email", "password", "user_metadata.plan", "terms"],
    "login_url": "https://www.example.com/login",
    "reset_url": null,
    "assets": {
        "script": {"path": "/signup-0123456789abcdef.js", "integrity": "sha256-…"},
        "extras": {"path": "/signup-extras-0123456789abcdef.js", "integrity": "sha256-…"},
        "style": {"path": "/signup-0123456789abcdef.css", "integrity": "sha256-…"},
    },
    "languages": ["en", "de"],
    "language": "en",
    "direction": "ltr",
    "texts": {"submit": "Create account", "wait": "Try again in %seconds% seconds."},
}))]
pub struct PolicySchema {
    /// The accepted fields, each with its label, its type, its bounds and whether it is required.
    pub fields: BTreeMap<String, Value>,
    /// The same for the keys of `user_metadata`.
    pub user_metadata: BTreeMap<String, Value>,
    /// The password's rules.
    pub password: BTreeMap<String, Value>,
    /// The terms to accept; null if there are none.
    pub terms: Option<BTreeMap<String, Value>>,
    /// The kinds of challenge, and the path that issues them.
    pub challenge: BTreeMap<String, Value>,
    /// `reveal` if responses reveal that an address has an account, else `uniform`.
    #[schema(example = "reveal")]
    pub existence: String,
    /// The names of the fields that every form shows, in the order of the page.
    pub order: Vec<String>,
    /// The login page; null if there is none.
    pub login_url: Option<String>,
    /// The page for resetting a password; null if there is none.
    pub reset_url: Option<String>,
    /// `script`, `extras` and `style`: the files of this release, each with its path, which never
    /// has another content, and the value of `integrity`.
    pub assets: BTreeMap<String, Value>,
    /// The languages that texts are available in.
    pub languages: Vec<String>,
    /// The language of the document, one of `languages`.
    #[schema(example = "en")]
    pub language: String,
    /// The direction of that language: `ltr` or `rtl`.
    #[schema(example = "ltr")]
    pub direction: String,
    /// The texts of `/signup.js` and of a form, in the language of the document.
    pub texts: BTreeMap<String, String>,
}

/// A sign-up by Lock, auth0.js or an SDK. `client_id`, `connection` and the members of the login are
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
    /// The keys that configuration allows.
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// The acceptance of the terms.
    #[schema(schema_with = terms)]
    pub terms: Option<String>,
    /// The idempotency key of a form that cannot set the header.
    #[schema(min_length = 16, max_length = 255)]
    pub idempotency_key: Option<String>,
}

/// The new user as Auth0's public endpoint returns it, with the given attributes.
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
    /// True if the address is verified.
    pub email_verified: bool,
}

/// An error in the shapes of Auth0's public endpoint.
#[derive(Debug, ToSchema)]
pub struct Auth0Error {
    /// The kind of error.
    pub name: String,
    /// The stable code.
    pub code: String,
    /// The description. For a weak password, an object that explains each rule.
    pub description: Value,
    /// The status of the response.
    #[schema(rename = "statusCode")]
    pub status_code: u16,
    /// The summary of a rejected password's error.
    #[schema(nullable = false)]
    pub message: Option<String>,
    /// The rules of the password policy, one on each line, for a weak password.
    #[schema(nullable = false)]
    pub policy: Option<String>,
}
