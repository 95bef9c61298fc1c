//! Knowledge about the scope `read:users`, without which no user can be looked up.

use parking_lot::{Mutex, MutexGuard};

use super::scopes::{READ_USERS, includes};

/// The knowledge about the token in use.
#[derive(Debug, Default)]
pub(super) struct ReadAccess(Mutex<ReadScope>);

/// The state of the scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ReadScope {
    /// Neither a token response nor a lookup has shown it.
    #[default]
    Unreported,
    /// The token has it, or a lookup succeeded.
    Granted,
    /// The token names its scopes, and this is not one.
    Missing,
    /// A lookup was forbidden.
    Forbidden,
}

impl ReadAccess {
    /// Returns whether lookups are allowed, as far as is known. Between two tokens the earlier one
    /// counts.
    pub(super) fn is_granted(&self) -> bool {
        *self.scope() == ReadScope::Granted
    }

    /// Returns whether lookups are certainly forbidden until the next token. One that was forbidden does not
    /// prove it: something in front of the tenant may have responded.
    pub(super) fn is_missing(&self) -> bool {
        *self.scope() == ReadScope::Missing
    }

    /// Learns the scopes of a new token, separated by spaces; `None` when its response names none.
    pub(super) fn record_grant(&self, scopes: Option<&str>) {
        let mut scope = self.scope();
        *scope = match (scopes.map(|scopes| includes(scopes, READ_USERS)), *scope) {
            (Some(true), _) | (None, ReadScope::Granted) => ReadScope::Granted,
            (Some(false), _) => ReadScope::Missing,
            (None, ReadScope::Unreported | ReadScope::Missing | ReadScope::Forbidden) => {
                ReadScope::Unreported
            }
        };
    }

    /// Records that a lookup with the token in use was allowed or forbidden. A forbidden one counts
    /// until the next token.
    pub(super) fn record_lookup(&self, is_allowed: bool) {
        let mut scope = self.scope();
        *scope = match (is_allowed, *scope) {
            (_, ReadScope::Missing) => ReadScope::Missing,
            (false, _) | (true, ReadScope::Forbidden) => ReadScope::Forbidden,
            (true, ReadScope::Unreported | ReadScope::Granted) => ReadScope::Granted,
        };
    }

    fn scope(&self) -> MutexGuard<'_, ReadScope> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event, and the knowledge after it.
    enum AccessStep {
        Token(Option<&'static str>, bool),
        Lookup(bool, bool),
    }

    #[test]
    fn the_token_decides_or_the_last_lookup_where_it_names_no_scopes() {
        use AccessStep::{Lookup, Token};
        let both = Some("create:users read:users");
        for steps in [
            &[Token(both, true), Lookup(false, false), Lookup(true, false), Token(both, true)][..],
            &[Token(Some("create:users"), false), Token(None, false), Lookup(true, true)],
            &[Token(Some("read:users_app_metadata"), false), Token(Some(""), false)],
            &[Token(None, false), Lookup(true, true), Token(None, true), Lookup(false, false)],
            &[Token(None, false), Lookup(false, false), Token(None, false), Lookup(true, true)],
        ] {
            let access = ReadAccess::default();
            for (nth, step) in steps.iter().enumerate() {
                let expected = match *step {
                    Token(scopes, expected) => {
                        access.record_grant(scopes);
                        expected
                    }
                    Lookup(is_allowed, expected) => {
                        access.record_lookup(is_allowed);
                        expected
                    }
                };
                assert_eq!(access.is_granted(), expected, "step {nth}");
            }
        }
    }

    #[test]
    fn only_the_tokens_own_scopes_prove_that_lookups_are_forbidden() {
        let access = ReadAccess::default();
        access.record_grant(Some("create:users read:users"));
        access.record_lookup(false);
        assert!(!access.is_granted() && !access.is_missing());
        access.record_grant(Some("create:users"));
        access.record_lookup(false);
        assert!(access.is_missing());
        access.record_grant(None);
        assert!(!access.is_missing());
    }
}
