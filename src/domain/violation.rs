//! What can be wrong with a field: closed vocabularies with the numbers a front end needs to
//! word the fault in any language, and never the rejected value.

use std::borrow::Cow;

/// One fault of one field, as a caller is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// RFC 6901 pointer into the JSON form of the body (`/email`, `/user_metadata/plan`).
    pub pointer: Cow<'static, str>,
    /// What is wrong.
    pub violation: Violation,
}

/// A rule that a field does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Absent, null or blank, and needed.
    Required,
    /// More than `max` Unicode code points.
    TooLong {
        /// The most code points allowed.
        max: usize,
    },
    /// Fewer than `min` Unicode code points.
    TooShort {
        /// The fewest code points allowed.
        min: usize,
    },
    /// Not of the form the field takes (an address, a URL, a phone number, a number).
    Malformed,
    /// Well formed, but not among what is taken here (a URL scheme, a file).
    NotAllowed,
    /// None of the values that are listed for it.
    NotListed {
        /// The values that are taken.
        values: Vec<String>,
    },
    /// A whole number beyond its bounds; one that is `None` does not exist.
    OutOfRange {
        /// The least number allowed.
        min: Option<i64>,
        /// The greatest number allowed.
        max: Option<i64>,
    },
    /// The e-mail's domain is not taken here.
    DomainNotAllowed,
    /// The terms have to be accepted.
    TermsRequired,
    /// No field of that name is taken.
    UnknownField,
    /// The name stands more than once in the body.
    DuplicateField,
    /// Another JSON type than the one named is needed.
    WrongType {
        /// `string`, `object`, `number`, `integer` or `boolean`.
        expected: &'static str,
    },
    /// Holds a control character (Unicode category Cc).
    ControlCharacter,
    /// A rule of the password policy is not met.
    Password(PasswordRule),
}

/// A rule of the tenant's password policy that a password does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordRule {
    /// Shorter than the policy's minimum, in UTF-16 units as Auth0 counts.
    TooShort {
        /// The fewest UTF-16 units allowed.
        min_length: usize,
    },
    /// More bytes of UTF-8 than bcrypt takes; Auth0 would cut the rest silently.
    TooLong {
        /// The most bytes allowed: 72.
        max_bytes: usize,
    },
    /// Too few of the character types that the policy lists.
    CharacterTypes {
        /// How many of `types` are needed.
        required: usize,
        /// The types that count.
        types: Vec<CharacterType>,
        /// Those of `types` that the password lacks.
        missing: Vec<CharacterType>,
    },
    /// One character more than `max` times in a row.
    RepeatedCharacters {
        /// The most times that a character may stand in a row.
        max: usize,
    },
    /// A run of neighbouring characters (`abc`, `123`) longer than `max`.
    SequentialCharacters {
        /// The longest run allowed.
        max: usize,
    },
    /// In the dictionary of common passwords, or among the operator's own words.
    TooCommon,
    /// Contains something of the profile.
    ContainsUserInfo {
        /// The form's fields whose values it contains; empty when Auth0 refused it and named none.
        fields: Vec<Cow<'static, str>>,
    },
    /// Part of a known breach.
    Breached,
    /// Used before by this user.
    UsedBefore,
    /// Auth0 refused it and named no rule.
    TooWeak,
}

/// A class of characters that a password policy counts. ASCII only: other characters add to the
/// length and to nothing else.
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

    /// The name, as in Auth0's `password_options.complexity.character_types`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
            Self::Number => "number",
            Self::Special => "special",
        }
    }

    /// The type of that exact name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl FieldError {
    /// A fault of a field whose pointer is known at compile time.
    pub const fn at(pointer: &'static str, violation: Violation) -> Self {
        Self { pointer: Cow::Borrowed(pointer), violation }
    }

    /// A fault of a member whose name came from the caller.
    pub const fn at_path(pointer: String, violation: Violation) -> Self {
        Self { pointer: Cow::Owned(pointer), violation }
    }

    /// The field's name as code would write it: `email`, `user_metadata.plan`.
    pub fn field(&self) -> String {
        let path = self.pointer.strip_prefix('/').unwrap_or(&self.pointer);
        path.replace('/', ".").replace("~1", "/").replace("~0", "~")
    }
}

impl Violation {
    /// The stable code a front end decides on (`docs/api.md`).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::TooLong { .. } => "too_long",
            Self::TooShort { .. } => "too_short",
            Self::Malformed => "malformed",
            Self::NotAllowed | Self::NotListed { .. } | Self::OutOfRange { .. } => "not_allowed",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::TermsRequired => "terms_required",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::WrongType { .. } => "wrong_type",
            Self::ControlCharacter => "control_character",
            Self::Password(rule) => rule.code(),
        }
    }
}

impl PasswordRule {
    /// The stable code a front end decides on (`docs/api.md`).
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
