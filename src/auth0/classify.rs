//! Classification of the tenant's responses: by status and `errorCode` first, then by the fixed
//! beginning of `message`. Anything else counts as unknown.
//!
//! Source: Auth0's Management API document and live responses; `docs/auth0.md` lists them.

use std::time::Duration;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Map, Value};

use super::error::{Api, CreateUserError, ErrorCode, Misconfiguration, TransportError};
use super::redirect;
use super::response::ApiResponse;
use super::sender::is_from_auth0;
use super::wait::RequestedWait;
use crate::domain::{Field, PasswordRule};

/// The wait after a 429 that names none: the buckets of all plans refill within a second.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// The codes of what the tenant's plan does not include.
const PLAN_LIMITS: [&str; 3] =
    ["feature_not_enabled", "insufficient_entitlement", "operation_not_supported"];

/// Auth0's error envelope. Any member may be absent or of another type.
struct Envelope(Map<String, Value>);

impl Envelope {
    /// Parses a body; one that is no object counts as an empty envelope.
    fn parse(body: &[u8]) -> Self {
        Self(serde_json::from_slice(body).unwrap_or_default())
    }

    /// A member that is a text.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The `errorCode`.
    fn code(&self) -> Option<&str> {
        self.text("errorCode")
    }

    /// The `message`; empty when absent.
    fn message(&self) -> &str {
        self.text("message").unwrap_or_default()
    }

    /// The rule that a password breaks, if this rejects the password.
    ///
    /// The Management API begins the message with the name of the error. The public endpoint has `name`
    /// and `code` in its place.
    fn password_rule(&self) -> Option<PasswordRule> {
        let first_word = self.message().split([':', ' ']).next();
        let names_password = |name: &&str| name.starts_with("Password") && name.ends_with("Error");
        let name = [first_word, self.text("name")].into_iter().flatten().find(names_password);
        match name {
            Some("PasswordDictionaryError") => Some(PasswordRule::TooCommon),
            Some("PasswordNoUserInfoError") => {
                Some(PasswordRule::ContainsUserInfo { fields: Vec::new() })
            }
            Some("PasswordBreachedError") => Some(PasswordRule::Breached),
            Some("PasswordHistoryError") => Some(PasswordRule::UsedBefore),
            Some(_) => Some(PasswordRule::TooWeak),
            None => {
                let codes = [self.code(), self.text("code")];
                codes.contains(&Some("invalid_password")).then_some(PasswordRule::TooWeak)
            }
        }
    }

    /// Returns whether a conflict is about the username, and not about the e-mail address: by the
    /// message, else by the attributes.
    fn is_about_username(&self) -> bool {
        let message = self.message().to_ascii_lowercase();
        if message.contains("username") || message.contains("mail") {
            return !message.contains("mail");
        }
        let names = |word| self.0.get("attributes").is_some_and(|value| mentions(value, word));
        names("username") && !names("mail")
    }
}

/// Returns whether a key or a text of this value contains the word, which is in lower case.
fn mentions(value: &Value, word: &str) -> bool {
    let contains = |text: &str| text.to_ascii_lowercase().contains(word);
    match value {
        Value::String(text) => contains(text),
        Value::Array(values) => values.iter().any(|value| mentions(value, word)),
        Value::Object(members) => {
            members.iter().any(|(key, value)| contains(key) || mentions(value, word))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns whether a response rejects the token. The tenant did nothing, and a fresh token may
/// help. A 401 that asks for other schemes than `Bearer` only (RFC 9110, section 11.6.1) is that of a
/// proxy, unless its body is Auth0's.
pub(super) fn is_token_rejected(response: &ApiResponse) -> bool {
    let names_bearer = |challenges: &HeaderValue| {
        challenges.as_bytes().to_ascii_lowercase().windows(6).any(|word| word == b"bearer")
    };
    let challenges = || response.headers.get_all(WWW_AUTHENTICATE).iter();
    match response.status {
        401 => {
            challenges().next().is_none()
                || challenges().any(names_bearer)
                || is_from_auth0(Api::Management, response)
        }
        400 => Envelope::parse(response.body()).code() == Some("Bearer"),
        _ => false,
    }
}

/// Returns whether a response says that there is no such user. A 404 alone does not: something in
/// front of the tenant may send one for a path that it does not know.
pub(super) fn is_missing_user(response: &ApiResponse) -> bool {
    let envelope = Envelope::parse(response.body());
    let denied = envelope.code() == Some("inexistent_user")
        || envelope.message().starts_with("The user does not exist");
    response.status == 404 && denied
}

/// Returns whether a response says that the application lacks the scope. A 403 alone does not: the
/// network in front of the tenant sends those as well, and they are temporary.
pub(super) fn is_missing_scope(response: &ApiResponse) -> bool {
    let envelope = Envelope::parse(response.body());
    response.status == 403 && envelope.code() == Some("insufficient_scope")
}

/// The wait that a 429 of the Management API asks for.
pub(super) fn wait_after_429(response: &ApiResponse) -> Duration {
    RequestedWait::from_rejection(Api::Management, response).wait.unwrap_or(DEFAULT_WAIT)
}

/// Classifies a response to create-user that is neither a success nor rejects the token.
pub(crate) fn classify(response: &ApiResponse) -> CreateUserError {
    let status = response.status;
    let envelope = Envelope::parse(response.body());
    let (code, message) = (envelope.code(), envelope.message());
    let unknown = || {
        if is_from_auth0(Api::Management, response) {
            Misconfiguration::Unknown { status, code: ErrorCode::new(code) }.into()
        } else {
            Misconfiguration::NotAuth0 { status }.into()
        }
    };
    match (status, code) {
        (400..=499, _) if !matches!(status, 408 | 429) && is_of_a_script(message) => {
            Misconfiguration::Script.into()
        }
        // Auth0's document names 400 for this call; the only recorded one is a 404, of another.
        (400 | 404, Some("inexistent_connection")) => {
            Misconfiguration::Connection { problem: "does not exist" }.into()
        }
        (400, _) if let Some(rule) = envelope.password_rule() => {
            CreateUserError::PasswordRejected(rule)
        }
        (400, Some("invalid_body")) => bad_request(message).unwrap_or(CreateUserError::InvalidBody),
        (400, _) => bad_request(message).unwrap_or_else(unknown),
        (403, Some("insufficient_scope")) => Misconfiguration::Scope.into(),
        (403, Some(code)) if PLAN_LIMITS.contains(&code) => {
            Misconfiguration::Plan { code: ErrorCode::new(Some(code)) }.into()
        }
        (409, Some("custom_domain_conflict")) => Misconfiguration::CustomDomain.into(),
        (409, Some("username_exists")) => CreateUserError::UsernameTaken,
        (409, _) if envelope.is_about_username() => CreateUserError::UsernameTaken,
        (409, Some("auth0_idp_error")) => CreateUserError::EmailTaken,
        (409, None) if message.starts_with("The user already exists") => {
            CreateUserError::EmailTaken
        }
        (300..=399, _) => redirect::misconfiguration(response).into(),
        (429, _) => {
            let retry_after = wait_after_429(response);
            CreateUserError::RateLimited { api: Api::Management, retry_after }
        }
        // Only a readable 201 shows a result: any other success may have created a user. 408: the
        // tenant's edge gave up waiting.
        (..=299 | 408 | 500.., _) => CreateUserError::Ambiguous(TransportError::Status(status)),
        (_, _) => unknown(),
    }
}

/// Returns whether a message is that of an Action or a custom database's script that failed or denied.
/// With a 5xx, the script may have stored the user before.
fn is_of_a_script(message: &str) -> bool {
    const START: &str = "sandbox error";
    message.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// Classifies a 400 by its message.
fn bad_request(message: &str) -> Option<CreateUserError> {
    // Auth0's documents write them without the article, its responses with and without it.
    const CONNECTION: [(&str, &str); 5] = [
        ("connection does not exist", "does not exist"),
        ("connection is disabled", "is disabled"),
        ("connection is not a database", "is not a database connection"),
        ("connection does not support user creation", "is not a database connection"),
        ("connection must be enabled for this client", "is not enabled for auth0.client_id"),
    ];
    if message.starts_with("The username provided is in use already") {
        return Some(CreateUserError::UsernameTaken);
    }
    if rejects_username(message) {
        return Some(CreateUserError::UsernameRejected);
    }
    let lower = message.to_ascii_lowercase();
    let about = lower.strip_prefix("the ").unwrap_or(&lower);
    let problem = CONNECTION.into_iter().find(|(prefix, _)| about.starts_with(prefix));
    let reason = match problem {
        Some((_, problem)) => Some(Misconfiguration::Connection { problem }),
        None if lower.contains("custom domain") => Some(Misconfiguration::UnknownCustomDomain),
        None => attribute_mismatch(message),
    };
    reason.map(Into::into)
}

/// The attribute that a 400 misses or does not accept, which `fields.<name>` decides.
///
/// The grammar is that of npm `z-schema-errors`, and of the texts about `requires_username`.
fn attribute_mismatch(message: &str) -> Option<Misconfiguration> {
    let message = message.to_ascii_lowercase();
    let says = |start: &str, name: &str, end: &str| {
        message.match_indices(start).any(|(at, _)| {
            let rest = message.get(at + start.len()..).and_then(|rest| rest.strip_prefix(name));
            rest.and_then(|rest| rest.strip_prefix(end))
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    Field::attributes().find_map(|(field, _)| {
        let name = field.name();
        let is_required = says("missing required property: ", name, "")
            || says("missing ", name, " for")
            || says("with requires_", name, " enabled");
        let is_unknown = says("additional properties not allowed: ", name, "")
            || says("without requires_", name, "")
            || says("cannot set ", name, "");
        match (is_required, is_unknown) {
            (true, _) => Some(Misconfiguration::AttributeRequired(field)),
            (false, true) => Some(Misconfiguration::AttributeNotAccepted(field)),
            (false, false) => None,
        }
    })
}

/// Returns whether a 400 rejects the username that was sent, for its characters or its length. Other
/// messages name a username too: a connection without usernames, or one that requires them.
///
/// Quoted at community.auth0.com: "Username can only contain alphanumeric characters and '_', ' ',
/// '-', or '.'." Auth0's schema names the property, then its description.
fn rejects_username(message: &str) -> bool {
    const STARTS: [&str; 4] =
        ["username ", "the username ", "invalid username", "invalid characters in username"];
    const OF_CONFIGURATION: [&str; 4] = ["requires_username", "required", "missing", "connection"];
    let message = message.to_ascii_lowercase();
    let is_about = STARTS.iter().any(|start| message.starts_with(start));
    let is_configuration = OF_CONFIGURATION.iter().any(|word| message.contains(word));
    let properties: Vec<_> = message.split("on property ").skip(1).collect();
    let is_only_property = !properties.is_empty()
        && properties.iter().all(|property| property.starts_with("username"));
    is_only_property || (is_about && !is_configuration)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_a_401_for_other_schemes_that_is_not_auth0s_leaves_the_token() {
        const ENVELOPE: &str =
            r#"{"statusCode":401,"error":"Unauthorized","message":"Invalid token"}"#;
        for (challenges, body, is_rejected) in [
            (&[][..], "", true),
            (&["Bearer realm=\"x\""], "<html>", true),
            (&["DPoP algs=\"ES256\"", "bearer error=\"invalid_token\""], "", true),
            (&["DPoP algs=\"ES256\", Bearer realm=\"x\""], "", true),
            (&["DPoP algs=\"ES256\""], ENVELOPE, true),
            (&["Basic realm=\"proxy\""], "<html>", false),
            (&["Negotiate", "NTLM"], "", false),
        ] {
            let mut headers = HeaderMap::new();
            for text in challenges {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(text));
            }
            let response = ApiResponse::new(401, headers, body);
            assert_eq!(is_token_rejected(&response), is_rejected, "{challenges:?} {body}");
        }
    }

    #[test]
    fn no_status_below_300_proves_that_nothing_was_created() {
        for status in [101, 200, 202, 204, 226] {
            let error = classify(&ApiResponse::new(status, HeaderMap::new(), ""));
            assert!(matches!(error, CreateUserError::Ambiguous(_)), "{status}: {error}");
        }
    }
}
