//! The scopes of a token: what the service needs, what it wants, and what it does not use.

use std::fmt::Write as _;

/// The scope without which no user can be created.
pub(super) const CREATE_USERS: &str = "create:users";

/// The scope without which no user can be looked up.
pub(super) const READ_USERS: &str = "read:users";

/// The scopes that the service uses, or only `auth0-signup doctor`: the last two read nothing about people.
const USED: [&str; 4] = [CREATE_USERS, READ_USERS, "read:connections", "read:custom_domains"];

/// The most names in a log line.
const MOST_NAMED: usize = 20;

/// Returns whether a list of scopes, separated by spaces, has this one.
pub(super) fn includes(scopes: &str, scope: &str) -> bool {
    scopes.split(' ').any(|granted| granted == scope)
}

/// Returns whether the service or its doctor uses a scope.
pub fn is_used(scope: &str) -> bool {
    USED.contains(&scope)
}

/// Logs what is wrong with the scopes of a new token.
pub(super) fn report(scopes: &str) {
    if !includes(scopes, CREATE_USERS) {
        tracing::error!(
            scope = CREATE_USERS,
            "every sign-up fails: the application lacks the scope create:users on the Management API"
        );
    }
    if !includes(scopes, READ_USERS) {
        tracing::warn!(
            scope = READ_USERS,
            "the application lacks the scope read:users on the Management API: an unknown outcome is \
             not resolved, and a repeated request gets the user's id and e-mail address only"
        );
    }
    if let Some(unused) = unused(scopes) {
        tracing::warn!(
            scopes = unused,
            "the application has more scopes on the Management API than the service uses: {unused}"
        );
    }
}

/// Names the scopes that the service never uses; `None` if there are none.
fn unused(scopes: &str) -> Option<String> {
    // Only what looks like a scope gets into the log.
    let is_scope = |scope: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b':' | b'_');
        (1..=64).contains(&scope.len()) && scope.bytes().all(is_plain)
    };
    let mut unused = scopes.split(' ').filter(|scope| is_scope(scope) && !is_used(scope));
    let mut named = unused.by_ref().take(MOST_NAMED).collect::<Vec<_>>().join(" ");
    let others = unused.count();
    if others > 0 {
        // Writing to a string cannot fail.
        let _unfailing = write!(named, " and {others} others");
    }
    (!named.is_empty()).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_scopes_are_named_up_to_a_bound() {
        assert_eq!(unused("create:users read:users read:connections read:custom_domains"), None);
        assert_eq!(unused(""), None);
        let named = unused("create:users delete:users <script> update:users_app_metadata");
        assert_eq!(named.as_deref(), Some("delete:users update:users_app_metadata"));
        let many = vec!["read:logs"; 100].join(" ");
        let named = unused(&many).unwrap();
        assert!(named.ends_with("read:logs and 80 others") && named.len() < 300, "{named}");
    }
}
