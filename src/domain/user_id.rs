//! The ids of the tenant's users.

use std::borrow::Cow;

/// A user's id with its provider, which is `auth0|` (the tenant's own database connections) where
/// none is given.
pub fn full_user_id(user_id: &str) -> Cow<'_, str> {
    if user_id.contains('|') { user_id.into() } else { format!("auth0|{user_id}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_without_a_provider_gets_one() {
        assert_eq!(full_user_id("5f7c"), "auth0|5f7c");
        assert_eq!(full_user_id("auth0|5f7c"), "auth0|5f7c");
        assert_eq!(full_user_id("custom|7"), "custom|7");
    }
}
