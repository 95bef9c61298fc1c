//! The connection's password checks.

mod dictionary;
mod explain;
mod personal;
mod policy;
mod rules;
mod stored_password;

use serde_json::Value;

pub use self::dictionary::DictionaryOptions;
pub(crate) use self::explain::{description, markdown};
pub use self::policy::{
    CharacterKind, ComplexityOptions, PasswordOptions, PolicyPreset, ProfileDataOptions, Switch,
};
pub use self::policy::{CharacterKindRule, MaxLengthExceeded};
pub(crate) use self::rules::PolicyRule;
pub(crate) use self::stored_password::StoredPassword;

use crate::tenant::Tenant;

/// Reason a password is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PasswordRejection {
    /// At least one of the policy's rules is not satisfied. Holds all of them.
    Weak(Vec<PolicyRule>),
    /// It is a common word.
    Common,
    /// It contains personal information.
    Personal,
    /// It is known from a data breach.
    Breached,
}

impl PasswordRejection {
    /// The error name, the same in both APIs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Weak(_) => "PasswordStrengthError",
            Self::Common => "PasswordDictionaryError",
            Self::Personal => "PasswordNoUserInfoError",
            Self::Breached => "PasswordBreachedError",
        }
    }

    /// The error message.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Weak(_) => "Password is too weak",
            Self::Common => "Password is too common",
            Self::Personal => "Password contains user information",
            Self::Breached => "Password is part of a known breached credential dataset",
        }
    }
}

/// Checks `password` for the user described by `profile`, as the tenant's connection does.
///
/// # Errors
///
/// Returns the first failing check of the connection.
pub(crate) fn check(
    tenant: &Tenant,
    password: &str,
    profile: &serde_json::Map<String, Value>,
) -> Result<(), PasswordRejection> {
    let rules = policy::rules(tenant);
    if !rules.iter().all(|rule| rule.holds(password)) {
        return Err(PasswordRejection::Weak(rules));
    }
    if policy::dictionary(tenant).rejects(password) {
        return Err(PasswordRejection::Common);
    }
    if personal::rejects(tenant, password, profile) {
        return Err(PasswordRejection::Personal);
    }
    if tenant.breached_passwords.iter().any(|known| known == password) {
        return Err(PasswordRejection::Breached);
    }
    Ok(())
}
