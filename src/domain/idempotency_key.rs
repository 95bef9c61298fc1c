//! The key with which a client repeats a sign-up without creating a second user.
//!
//! The header is `Idempotency-Key` of the IETF draft: a Structured Field string in quotes, in
//! practice also without them. A form that cannot set headers sends the field `idempotency_key`.

use secrecy::{ExposeSecret as _, SecretString};

use super::Violation;

/// The accepted length in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=255;

/// A key of 16 to 255 visible ASCII characters.
///
/// Treated as a secret: anyone who knows it and the password can read the outcome of the sign-up.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(SecretString);

impl IdempotencyKey {
    /// Parses a key with or without quotes. The quotes are not part of it.
    ///
    /// # Errors
    /// [`Violation::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let text = text.trim_matches([' ', '\t']);
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let key = quoted.unwrap_or(text);
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if visible && LENGTH.contains(&key.len()) {
            Ok(Self(key.into()))
        } else {
            Err(Violation::Malformed)
        }
    }

    /// The characters, for the keyed digest, and to compare header and field.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_not_part_of_the_key() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        for text in [uuid.to_owned(), format!("\"{uuid}\""), format!(" {uuid}\t")] {
            assert_eq!(IdempotencyKey::parse(&text).unwrap().expose(), uuid);
        }
        assert!(IdempotencyKey::parse(&"x".repeat(16)).is_ok());
        assert!(IdempotencyKey::parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn anything_else_is_malformed() {
        let long = "x".repeat(256);
        for text in [
            "",
            "short",
            "\"\"",
            &long,
            "sixteen chars äé",
            "with a blank inside",
            "\"unbalanced-16-char",
        ] {
            assert_eq!(IdempotencyKey::parse(text).err(), Some(Violation::Malformed), "{text}");
        }
    }
}
