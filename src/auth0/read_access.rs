//! Knowledge about the scope `read:users`, without which no user can be looked up.

use super::scopes::{READ_USERS, includes};

/// The knowledge about the token in use. Between two tokens that of the earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ReadAccess {
    /// Neither a token response nor a lookup has shown it.
    #[default]
    Unreported,
    /// The token has the scope, or a lookup succeeded.
    Granted,
    /// The token names its scopes, and this is not one. Certain until the next token.
    Missing,
    /// A lookup was forbidden. Not certain: something in front of the tenant may have responded.
    Forbidden,
}

impl ReadAccess {
    /// The knowledge about a new token. `scopes` are separated by spaces; `None` when its response names
    /// none.
    pub(super) fn after_grant(self, scopes: Option<&str>) -> Self {
        match (scopes.map(|scopes| includes(scopes, READ_USERS)), self) {
            (Some(true), _) | (None, Self::Granted) => Self::Granted,
            (Some(false), _) => Self::Missing,
            (None, Self::Unreported | Self::Missing | Self::Forbidden) => Self::Unreported,
        }
    }

    /// The knowledge after a lookup was allowed or forbidden. A forbidden one counts until the next token.
    pub(super) const fn after_lookup(self, is_allowed: bool) -> Self {
        match (self, is_allowed) {
            (Self::Missing | Self::Forbidden, _) => self,
            (Self::Unreported | Self::Granted, true) => Self::Granted,
            (Self::Unreported | Self::Granted, false) => Self::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReadAccess::{Forbidden, Granted, Missing, Unreported};

    #[test]
    fn the_token_decides_or_the_last_lookup_where_it_names_no_scopes() {
        let both = Some("create:users read:users");
        for (before, scopes, after) in [
            (Unreported, both, Granted),
            (Forbidden, both, Granted),
            (Granted, Some("create:users"), Missing),
            (Granted, Some("read:users_app_metadata"), Missing),
            (Granted, Some(""), Missing),
            (Granted, None, Granted),
            (Missing, None, Unreported),
            (Forbidden, None, Unreported),
        ] {
            assert_eq!(before.after_grant(scopes), after, "{before:?} {scopes:?}");
        }
        for (before, allowed, forbidden) in [
            (Unreported, Granted, Forbidden),
            (Granted, Granted, Forbidden),
            (Missing, Missing, Missing),
            (Forbidden, Forbidden, Forbidden),
        ] {
            let after = [true, false].map(|is_allowed| before.after_lookup(is_allowed));
            assert_eq!(after, [allowed, forbidden], "{before:?}");
        }
    }
}
