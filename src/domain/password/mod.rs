//! The password and the tenant's rules for it.
//!
//! Owns the secret itself and Auth0's password policy, restated from npm `password-sheriff`
//! (the engine), npm `auth0-password-policies` (the levels and the flexible options) and, where
//! those have no code, Auth0's documentation. Must not know hashing, breach lists or the users of
//! the tenant: Auth0 alone judges by those.
//! See <https://auth0.com/docs/authenticate/database-connections/password-strength>.

mod complexity;
mod dictionary;
mod policy;
mod profile;
mod settings;

use secrecy::{ExposeSecret, SecretString};

pub use policy::PasswordPolicy;
pub use profile::Profile;
pub use settings::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, Level, PolicyFault,
    PolicySettings, ProfileDataSettings,
};

/// The most bytes of UTF-8 that bcrypt takes. Auth0 cuts the rest silently unless a flexible
/// policy says otherwise; here a longer password is always refused, so that what the person
/// typed is what is kept.
pub const MAX_BYTES: usize = 72;

/// A password as it was typed, never trimmed or normalised.
///
/// It can be neither printed, compared nor serialised, and its memory is wiped when dropped.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Keeps `text`, which the caller has found not to be empty.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The password as a secret, for a keyed digest.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The password itself: for [`PasswordPolicy::check`] and the body of the create-user call,
    /// and for nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Lower-cases character by character and without allocating, which is how the dictionary and
/// the personal information are compared. A final sigma is no exception here, on either side.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_debug_form_hides_it() {
        let password = Password::new("hunter2");
        assert!(!format!("{password:?}").contains("hunter2"));
        assert_eq!(password.expose(), "hunter2");
    }
}
