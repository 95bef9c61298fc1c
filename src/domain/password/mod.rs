//! The password and the tenant's rules for it.
//!
//! Owns the secret itself and Auth0's password policy. Its sources are npm `password-sheriff` (the
//! engine), npm `auth0-password-policies` (the levels and the flexible options) and, where those
//! have no code, Auth0's documentation. Must not know hashing, breach lists or the tenant's users:
//! only Auth0 can check those. See
//! <https://auth0.com/docs/authenticate/database-connections/password-strength>.

mod complexity;
mod dictionary;
mod difference;
mod policy;
mod profile;
mod settings;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize as _;

pub use difference::{PolicyAspect, PolicyDifference};
pub use policy::PasswordPolicy;
pub use profile::Profile;
pub use settings::{
    CharacterTypeRule, Complexity, DictionarySettings, DictionarySize, PolicyError, PolicyLevel,
    PolicySettings, ProfileDataSettings,
};

/// The maximum length in bytes of UTF-8, a limit of bcrypt. Auth0 silently cuts off the rest unless
/// a flexible policy says otherwise. Here a longer password is always rejected, so that the stored
/// password is the one that the person typed.
pub const MAX_BYTES: usize = 72;

/// A password as it was typed, never trimmed or normalised.
///
/// It cannot be printed, compared or serialised, and its memory is wiped when it is dropped.
#[derive(Debug)]
pub struct Password(SecretString);

impl Password {
    /// Wraps `text`. The caller has checked that it is not empty.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// Wipes the password once no call needs it any more.
    pub fn wipe(&mut self) {
        self.0.zeroize();
    }

    /// The password as a secret, for a keyed digest.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The password itself, only for [`PasswordPolicy::check`] and the body of the create-user
    /// call.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Lower-cases character by character, without allocating. Dictionary words and personal data are
/// compared in this form. A final sigma is a letter of its own, and a capital one becomes the other, as in
/// Auth0's library.
fn lower_case(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_password() {
        let password = Password::new("hunter2");
        assert!(!format!("{password:?}").contains("hunter2"));
        assert_eq!(password.expose(), "hunter2");
    }

    #[test]
    fn a_wiped_password_has_no_text_left() {
        let mut password = Password::new("hunter2");
        password.wipe();
        assert!(password.expose().bytes().all(|byte| byte == 0));
    }
}
