//! Validation errors of fields: closed vocabularies with the numbers that a front end needs to word
//! the error in any language. Never the rejected value.

use std::borrow::Cow;

/// One error of one field, as it is reported to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// RFC 6901 pointer into the JSON form of the body (`/email`, `/user_metadata/plan`).
    pub pointer: Cow<'static, str>,
    /// The rule that is not met.
    pub violation: Violation,
}

/// A rule that a field does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Required, but absent, null or blank.
    Required,
    /// More than `max` Unicode code points.
    TooLong {
        /// The maximum number of code points.
        max: usize,
    },
    /// Fewer than `min` Unicode code points.
    TooShort {
        /// The minimum number of code points.
        min: usize,
    },
    /// Not in the format of the field (an address, a URL, a phone number, a number).
    Malformed,
    /// Well formed, but not accepted here (a URL scheme, a file).
    NotAllowed,
    /// None of the listed values.
    NotListed {
        /// The accepted values.
        values: Vec<String>,
    },
    /// A whole number outside its bounds; `None` is no bound.
    OutOfRange {
        /// The minimum.
        min: Option<i64>,
        /// The maximum.
        max: Option<i64>,
    },
    /// The e-mail's domain is not accepted here.
    DomainNotAllowed,
    /// The terms are not accepted.
    TermsRequired,
    /// Other terms are accepted than those in force.
    TermsChanged,
    /// No field has this name.
    UnknownField,
    /// The name occurs more than once in the body.
    DuplicateField,
    /// Another JSON type is expected.
    WrongType {
        /// `string`, `object`, `integer` or `boolean`.
        expected: &'static str,
    },
    /// Contains a control character (Unicode category Cc).
    ControlCharacter,
    /// A rule of the password policy is not met.
    Password(PasswordRule),
}

/// A rule of the tenant's password policy that a password does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordRule {
    /// Shorter than the policy's minimum, in UTF-16 units as Auth0 counts.
    TooShort {
        /// The minimum number of UTF-16 units.
        min_length: usize,
    },
    /// More bytes of UTF-8 than bcrypt uses. Auth0 would silently cut off the rest.
    TooLong {
        /// The maximum number of bytes: 72.
        max_bytes: usize,
    },
    /// Too few of the policy's character types.
    CharacterTypes {
        /// The number of `types` that are required.
        required: usize,
        /// The types that count.
        types: Vec<CharacterType>,
        /// The `types` that the password lacks.
        missing: Vec<CharacterType>,
    },
    /// The same character more than `max` times in a row.
    RepeatedCharacters {
        /// The maximum number of times in a row.
        max: usize,
    },
    /// A sequence of characters (`abc`, `123`) longer than `max`.
    SequentialCharacters {
        /// The maximum length of a sequence.
        max: usize,
    },
    /// A common password, or one of the operator's own words.
    TooCommon,
    /// Contains personal data from the profile.
    ContainsUserInfo {
        /// The fields whose values it contains; empty if Auth0 rejected it and named none.
        fields: Vec<Cow<'static, str>>,
    },
    /// Found in a known breach.
    Breached,
    /// Used before by this user.
    UsedBefore,
    /// Rejected by Auth0, which named no rule.
    TooWeak,
}

/// A class of characters that a password policy counts. ASCII only: other characters count towards
/// the length alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CharacterType {
    /// `a` to `z`
    Lowercase,
    /// `A` to `Z`
    Uppercase,
    /// `0` to `9`
    Number,
    /// Space and the 32 ASCII punctuation marks (the OWASP list).
    Special,
}

impl CharacterType {
    /// Every type, in the order in which Auth0's engine reports them.
    pub const ALL: [Self; 4] = [Self::Lowercase, Self::Uppercase, Self::Number, Self::Special];

    /// The name in Auth0's `password_options.complexity.character_types`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
            Self::Number => "number",
            Self::Special => "special",
        }
    }

    /// Returns the type with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl FieldError {
    /// An error at a pointer that is known at compile time.
    pub const fn at(pointer: &'static str, violation: Violation) -> Self {
        Self { pointer: Cow::Borrowed(pointer), violation }
    }

    /// An error at a pointer that contains names sent by the client.
    pub const fn at_path(pointer: String, violation: Violation) -> Self {
        Self { pointer: Cow::Owned(pointer), violation }
    }

    /// Returns the field's name in dotted form: `email`, `user_metadata.plan`.
    pub fn field(&self) -> String {
        let path = self.pointer.strip_prefix('/').unwrap_or(&self.pointer);
        path.replace('/', ".").replace("~1", "/").replace("~0", "~")
    }
}

impl Violation {
    /// The stable code for front ends (`docs/api.md`).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::TooLong { .. } => "too_long",
            Self::TooShort { .. } => "too_short",
            Self::Malformed => "malformed",
            Self::NotAllowed | Self::NotListed { .. } | Self::OutOfRange { .. } => "not_allowed",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::TermsRequired | Self::TermsChanged => "terms_required",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::WrongType { .. } => "wrong_type",
            Self::ControlCharacter => "control_character",
            Self::Password(rule) => rule.code(),
        }
    }
}

impl PasswordRule {
    /// The stable code for front ends (`docs/api.md`).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password.too_short",
            Self::TooLong { .. } => "password.too_long",
            Self::CharacterTypes { .. } => "password.character_types",
            Self::RepeatedCharacters { .. } => "password.repeated_characters",
            Self::SequentialCharacters { .. } => "password.sequential_characters",
            Self::TooCommon => "password.too_common",
            Self::ContainsUserInfo { .. } => "password.contains_user_info",
            Self::Breached => "password.breached",
            Self::UsedBefore => "password.used_before",
            Self::TooWeak => "password.too_weak",
        }
    }
}
