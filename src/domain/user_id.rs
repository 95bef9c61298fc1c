//! The ids of Auth0 users.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The provider of every database connection, and the bar behind it.
const PROVIDER: &str = "auth0|";

/// The id of an Auth0 user, with its provider.
///
/// The id within a connection is any text: a custom database may put a bar into its own, so a bar
/// says nothing about a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct UserId(Box<str>);

impl UserId {
    /// An id as Auth0 returned it.
    pub fn from_auth0(id: impl Into<Box<str>>) -> Self {
        Self(id.into())
    }

    /// The id of a user of a database connection, from the id within the connection.
    pub fn from_connection_id(id: &str) -> Self {
        Self(format!("{PROVIDER}{id}").into())
    }

    /// An id from the ledger, with `auth0|` before any that lacks it. Rows of earlier versions hold the id within
    /// the connection, which may have a bar. For a linked user a few hold the id of the other profile: it cannot be
    /// distinguished, and becomes one that no user has.
    pub(crate) fn from_stored(id: &str) -> Self {
        if id.starts_with(PROVIDER) { Self::from_auth0(id) } else { Self::from_connection_id(id) }
    }

    /// The id with its provider, as Auth0 returns it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id within the database connection.
    pub fn connection_id(&self) -> &str {
        self.0.strip_prefix(PROVIDER).unwrap_or(&self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_in_the_id_within_the_connection_is_no_provider() {
        for id in ["5f7c", "MyConnection|7", "auth0|7"] {
            let user_id = UserId::from_connection_id(id);
            assert_eq!(user_id.as_str(), format!("auth0|{id}"));
            assert_eq!(user_id.connection_id(), id);
            assert_eq!(UserId::from_stored(user_id.as_str()), user_id);
        }
    }

    #[test]
    fn a_stored_id_without_auth0_gets_it() {
        for id in ["5f7c", "MyConnection|7"] {
            assert_eq!(UserId::from_stored(id), UserId::from_connection_id(id));
        }
    }
}
