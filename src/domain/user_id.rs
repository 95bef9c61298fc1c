//! The ids of Auth0 users.

use std::borrow::Cow;

/// Returns the id with its provider. The default is `auth0|`, the provider of database connections.
pub fn full_user_id(user_id: &str) -> Cow<'_, str> {
    if user_id.contains('|') { user_id.into() } else { format!("auth0|{user_id}").into() }
}

/// Removes `auth0|` from an id as Auth0 returns it. An id of another provider stays as it is.
pub fn strip_provider(user_id: &str) -> &str {
    user_id.strip_prefix("auth0|").unwrap_or(user_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_without_a_provider_gets_the_default() {
        assert_eq!(full_user_id("5f7c"), "auth0|5f7c");
        assert_eq!(full_user_id("auth0|5f7c"), "auth0|5f7c");
        assert_eq!(full_user_id("custom|7"), "custom|7");
    }
    #[test]
    fn only_the_default_provider_is_removed() {
        assert_eq!(strip_provider("auth0|5f7c"), "5f7c");
        assert_eq!(strip_provider("custom|7"), "custom|7");
    }
}
