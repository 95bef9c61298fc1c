//! Events of other crates: which ones reach the log, and with which fields.
//!
//! A library logs whatever it was given: a connection string with its password, a header, a path
//! with an e-mail address in its query. So its events pass by an allow-list, at every level. An
//! entry needs fields whose values nobody chooses: numbers, and texts that are fixed in the code.

use tracing::Metadata;

/// The target of this crate's own events, which write nothing that must not be logged.
const OWN: &str = "auth0_signup";

/// The other targets that may log, each with its fields. Spans of other crates never pass.
const ALLOWED: [(&str, &[&str]); 3] = [
    // An unknown parameter of `database.url`. Its name and its value are left out.
    ("sqlx_postgres::options::parse", &["message"]),
    // A slow statement, with its first words. The values of a statement are never part of its text.
    (
        "sqlx::query",
        &["message", "summary", "rows_affected", "rows_returned", "elapsed_secs", "slow_threshold"],
    ),
    ("sqlx::pool::acquire", &["message", "acquired_after_secs", "slow_acquire_threshold_secs"]),
];

/// Returns whether events or spans of this kind may reach the log.
pub(super) fn may_pass(metadata: &Metadata<'_>) -> bool {
    is_own(metadata.target()) || (metadata.is_event() && fields(metadata.target()).is_some())
}

/// The fields that an event of this target may show; `None` for a target that is not allowed.
pub(super) fn fields(target: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(allowed, _)| *allowed == target).map(|(_, fields)| *fields)
}

/// Returns whether a target is this crate's own.
pub(super) fn is_own(target: &str) -> bool {
    let rest = target.strip_prefix(OWN);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_known_by_its_whole_path() {
        assert!(is_own("auth0_signup") && is_own("auth0_signup::auth0::client"));
        for target in ["auth0_signup_extra", "auth0_emulator", "hyper", "", "x::auth0_signup"] {
            assert!(!is_own(target) && fields(target).is_none(), "{target}");
        }
        assert!(fields("sqlx::query").is_some());
        assert!(fields("sqlx").is_none() && fields("sqlx::query::values").is_none());
    }
}
