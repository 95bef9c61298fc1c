//! The English words of problems, and the numbers behind them. Never a rejected value.

use serde_json::{Map, Value, json};

use super::problem::ProblemCode;
use crate::domain::violation::CharacterType;
use crate::domain::{PasswordRule, Violation};

/// The title of a problem: the same for every occurrence.
pub(super) const fn title(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::MalformedBody => "The body cannot be read",
        ProblemCode::OriginNotAllowed => "The page may not post here",
        ProblemCode::ChallengeRequired => "A challenge has to be solved first",
        ProblemCode::ChallengeFailed => "The challenge was not solved",
        ProblemCode::SignupsClosed => "Sign-ups are closed",
        ProblemCode::NotFound => "Not found",
        ProblemCode::MethodNotAllowed => "Method not allowed",
        ProblemCode::RequestTimeout => "The request took too long",
        ProblemCode::EmailTaken => "The e-mail address is taken",
        ProblemCode::UsernameTaken => "The username is taken",
        ProblemCode::IdempotencyInProgress => "The sign-up is under way",
        ProblemCode::IdempotencyKeyReused => "The idempotency key belongs to another sign-up",
        ProblemCode::BodyTooLarge => "The body is too large",
        ProblemCode::UnsupportedMediaType => "The media type is not supported",
        ProblemCode::InvalidFields => "Some fields are not valid",
        ProblemCode::HeadersTooLarge => "The headers are too large",
        ProblemCode::RateLimited => "Too many requests",
        ProblemCode::Internal => "Internal error",
        ProblemCode::UpstreamRejected => "The sign-up was refused",
        ProblemCode::UpstreamBusy => "Too many sign-ups at the moment",
        ProblemCode::Unavailable => "Not available at the moment",
        ProblemCode::ChallengeUnavailable => "The challenge cannot be judged at the moment",
        ProblemCode::UpstreamUnavailable => "The sign-up could not be made",
        ProblemCode::OutcomeUnknown => "The outcome is not known",
    }
}

/// What to do about a problem.
pub(super) const fn detail(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::MalformedBody => {
            "Send a JSON object, an urlencoded form or a multipart form, in UTF-8."
        }
        ProblemCode::OriginNotAllowed => {
            "This origin is not among those whose pages may post here. Nothing was created."
        }
        ProblemCode::ChallengeRequired => {
            "Solve the challenge and send its answer with the form. Nothing was created."
        }
        ProblemCode::ChallengeFailed => {
            "The answer is wrong, has expired or was used before. Solve a new challenge."
        }
        ProblemCode::SignupsClosed => "New accounts are not made at the moment.",
        ProblemCode::NotFound => "There is nothing at this address.",
        ProblemCode::MethodNotAllowed => "The Allow header names the methods of this address.",
        ProblemCode::RequestTimeout => "The body did not arrive in time. Nothing was created.",
        ProblemCode::EmailTaken => "An account with this e-mail address exists. Log in instead.",
        ProblemCode::UsernameTaken => "An account with this username exists. Choose another.",
        ProblemCode::IdempotencyInProgress => {
            "The first request with this key is not done yet. Try again in a moment."
        }
        ProblemCode::IdempotencyKeyReused => {
            "A key belongs to one e-mail address and password. Make a new one for others."
        }
        ProblemCode::BodyTooLarge => "A body holds at most 64 KiB, a multipart form 64 parts.",
        ProblemCode::UnsupportedMediaType => {
            "Send application/json, application/x-www-form-urlencoded or multipart/form-data, in \
             UTF-8 and without a content coding."
        }
        ProblemCode::InvalidFields => "Every field at fault is listed in errors.",
        ProblemCode::HeadersTooLarge => "A request holds at most 100 headers and 32 KiB of them.",
        ProblemCode::Internal => "This is a fault of ours. Nothing was created.",
        ProblemCode::UpstreamRejected => {
            "The account could not be created for a reason that trying again does not mend."
        }
        ProblemCode::RateLimited | ProblemCode::UpstreamBusy => {
            "Nothing was created. Try again after the time given."
        }
        ProblemCode::Unavailable
        | ProblemCode::ChallengeUnavailable
        | ProblemCode::UpstreamUnavailable => "Nothing was created. Try again in a moment.",
        ProblemCode::OutcomeUnknown => {
            "The account may have been created. Look for the confirmation mail, or try to log in."
        }
    }
}

/// What is wrong with a field, to show beside it.
pub(super) fn message(violation: &Violation) -> String {
    match violation {
        Violation::Required => "Fill in this field.".into(),
        Violation::TooLong { max } => format!("Use at most {max} characters."),
        Violation::TooShort { min } => format!("Use at least {min} characters."),
        Violation::Malformed => "This is not in the expected form.".into(),
        Violation::NotAllowed => "This is not allowed here.".into(),
        Violation::DomainNotAllowed => "Addresses of this domain are not accepted.".into(),
        Violation::TermsRequired => "Accept the terms to go on.".into(),
        Violation::UnknownField => "There is no such field.".into(),
        Violation::DuplicateField => "This field was given more than once.".into(),
        Violation::WrongType { expected } => format!("This must be of type {expected}."),
        Violation::ControlCharacter => "Remove control characters such as line breaks.".into(),
        Violation::Password(rule) => password(rule),
    }
}

fn password(rule: &PasswordRule) -> String {
    match rule {
        PasswordRule::TooShort { min_length } => format!("Use at least {min_length} characters."),
        PasswordRule::TooLong { max_bytes } => {
            format!("Use at most {max_bytes} bytes; letters beyond a to z take more than one.")
        }
        PasswordRule::CharacterTypes { required, types, missing } if *required == types.len() => {
            format!("Add {}.", words(missing))
        }
        PasswordRule::CharacterTypes { required, types, .. } => {
            format!("Use {required} of these: {}.", words(types))
        }
        PasswordRule::RepeatedCharacters { max } => {
            format!("Do not use a character more than {max} times in a row.")
        }
        PasswordRule::SequentialCharacters { max } => {
            format!("Do not use more than {max} neighbouring characters such as abc or 123.")
        }
        PasswordRule::TooCommon => "This password is too common.".into(),
        PasswordRule::ContainsUserInfo { .. } => {
            "Do not use your name, username or e-mail address in the password.".into()
        }
        PasswordRule::Breached => "This password is part of a known data breach.".into(),
        PasswordRule::UsedBefore => "This password was used before.".into(),
        PasswordRule::TooWeak => "This password is too weak.".into(),
    }
}

fn words(types: &[CharacterType]) -> String {
    let word = |kind: &CharacterType| match kind {
        CharacterType::Lowercase => "a lower-case letter",
        CharacterType::Uppercase => "an upper-case letter",
        CharacterType::Number => "a digit",
        CharacterType::Special => "a special character",
    };
    types.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The numbers and names behind a message, so that a front end can word it in any language.
pub(super) fn params(violation: &Violation) -> Map<String, Value> {
    let names =
        |types: &[CharacterType]| -> Vec<_> { types.iter().map(|kind| kind.name()).collect() };
    let params = match violation {
        Violation::TooLong { max }
        | Violation::Password(
            PasswordRule::RepeatedCharacters { max } | PasswordRule::SequentialCharacters { max },
        ) => json!({ "max": max }),
        Violation::TooShort { min } => json!({ "min": min }),
        Violation::WrongType { expected } => json!({ "expected": expected }),
        Violation::Password(PasswordRule::TooShort { min_length }) => {
            json!({ "min_length": min_length })
        }
        Violation::Password(PasswordRule::TooLong { max_bytes }) => {
            json!({ "max_bytes": max_bytes })
        }
        Violation::Password(PasswordRule::CharacterTypes { required, types, missing }) => {
            json!({ "required": required, "types": names(types), "missing": names(missing) })
        }
        Violation::Password(PasswordRule::ContainsUserInfo { fields }) if !fields.is_empty() => {
            json!({ "fields": fields })
        }
        Violation::Password(
            PasswordRule::ContainsUserInfo { .. }
            | PasswordRule::TooCommon
            | PasswordRule::Breached
            | PasswordRule::UsedBefore
            | PasswordRule::TooWeak,
        )
        | Violation::Required
        | Violation::Malformed
        | Violation::NotAllowed
        | Violation::DomainNotAllowed
        | Violation::TermsRequired
        | Violation::UnknownField
        | Violation::DuplicateField
        | Violation::ControlCharacter => return Map::new(),
    };
    match params {
        Value::Object(params) => params,
        _ => Map::new(),
    }
}
