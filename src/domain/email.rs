//! The e-mail address: text that Auth0's `email` format accepts, in lower case.
//!
//! Owns validator.js 13.15 `isEmail` as z-schema calls it (a top-level domain is required, no
//! display name, no address literal). Must not know which domains an operator accepts: `EmailRules`
//! checks that.

use std::borrow::Cow;

use super::Violation;
use super::host::{is_domain_name, is_plain_unicode};
use super::redacted::redacted_newtype;

/// The maximum length before the `@` in bytes of UTF-8 (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL_PART_BYTES: usize = 64;

/// The maximum length after the `@` in bytes of UTF-8.
const MAX_DOMAIN_BYTES: usize = 254;

/// An e-mail address that Auth0 accepts, in lower case as Auth0 stores it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

redacted_newtype!(EmailAddress);

impl EmailAddress {
    /// The maximum length of the whole address in UTF-16 units (validator.js `isEmail`, RFC 3696
    /// erratum 1690).
    pub const MAX_LENGTH: usize = 254;

    /// Lower-cases `text` and checks the result.
    ///
    /// # Errors
    ///
    /// [`Violation::Malformed`] if Auth0's `email` format would reject it.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let address = text.to_lowercase();
        if is_address(&address) { Ok(Self(address)) } else { Err(Violation::Malformed) }
    }

    /// The part before the last `@`, including quotes.
    pub fn local_part(&self) -> &str {
        self.parts().0
    }

    /// The local part without quotation marks and escapes, which change nothing about the mailbox that it
    /// names (RFC 5321, section 4.1.2): `"a\d\a"` is `ada`.
    pub fn unquoted_local_part(&self) -> Cow<'_, str> {
        let local = self.local_part();
        let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Cow::Borrowed(local);
        };
        let mut characters = quoted.chars();
        let unescaped = std::iter::from_fn(|| match characters.next()? {
            '\\' => characters.next(),
            character => Some(character),
        });
        Cow::Owned(unescaped.collect())
    }

    /// The part after the last `@`, as written: Unicode or Punycode.
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    /// Splits the address at the last `@`.
    #[expect(clippy::expect_used, reason = "`parse` rejects an address without an @")]
    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('@').expect("an address has an @")
    }
}

/// Returns whether validator.js `isEmail` accepts a text, with its default options.
fn is_address(text: &str) -> bool {
    text.encode_utf16().count() <= EmailAddress::MAX_LENGTH
        && text.rsplit_once('@').is_some_and(|(local_part, domain)| {
            local_part.len() <= MAX_LOCAL_PART_BYTES
                && domain.len() <= MAX_DOMAIN_BYTES
                && is_domain_name(domain)
                && is_local_part(local_part)
        })
}

/// Returns whether a text is a quoted string, or words separated by single dots.
fn is_local_part(text: &str) -> bool {
    // validator.js treats a single quotation mark as both quotes of an empty string.
    if text == "\"" {
        return true;
    }
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => is_quoted_content(quoted),
        None => text.split('.').all(is_word),
    }
}

/// Returns whether a text consists of one or more characters of an RFC 5322 atom, or characters
/// above ASCII.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| {
            character.is_ascii_alphanumeric()
                || "!#$%&'*+-/=?^_`{|}~".contains(character)
                || is_plain_unicode(character, '\u{a1}')
        })
}

/// Returns whether a text is the content of a quoted string: a quotation mark or a backslash needs
/// a backslash before it.
fn is_quoted_content(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let accepted = match character {
            '"' => false,
            // The pattern allows a line feed among spaces but not as an escaped character.
            '\\' => {
                characters.next().is_some_and(|escaped| escaped != '\n' && is_quotable(escaped))
            }
            _ => is_quotable(character),
        };
        if !accepted {
            return false;
        }
    }
    true
}

/// Returns whether a character is ASCII except NUL, or one of the characters above it that
/// validator.js lists for quoted strings. Unlike in a word, these include the no-break space.
const fn is_quotable(character: char) -> bool {
    matches!(character, '\u{1}'..='\u{7f}') || is_plain_unicode(character, '\u{a0}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_accepted(text: &str) -> bool {
        EmailAddress::parse(text).is_ok()
    }

    #[test]
    fn an_address_is_lower_cased_and_split() {
        let address = EmailAddress::parse("Ada.Lovelace+News@Bücher.EXAMPLE").unwrap();
        assert_eq!(address.as_ref(), "ada.lovelace+news@bücher.example");
        assert_eq!(address.local_part(), "ada.lovelace+news");
        assert_eq!(address.domain(), "bücher.example");
    }

    #[test]
    fn a_quoted_local_part_may_contain_an_at_sign() {
        let address = EmailAddress::parse(r#""a@b \"c\" "@example.com"#).unwrap();
        assert_eq!(address.domain(), "example.com");
        assert!(!is_accepted(r#""a"b"@example.com"#));
        assert!(!is_accepted(r#""a\"@example.com"#));
    }

    #[test]
    fn quotation_marks_and_escapes_name_the_same_mailbox() {
        let unquoted =
            |email| EmailAddress::parse(email).unwrap().unquoted_local_part().into_owned();
        for written in ["ada@example.com", r#""ada"@example.com"#, r#""a\d\a"@example.com"#] {
            assert_eq!(unquoted(written), "ada", "{written}");
        }
        assert_eq!(unquoted(r#""a\\\"b"@example.com"#), r#"a\"b"#);
        assert_eq!(unquoted("\"@example.com"), "\"", "what validator.js accepts");
    }

    #[test]
    fn dots_are_single_and_inside() {
        assert!(is_accepted("a.b@example.com"));
        for text in [".a@example.com", "a.@example.com", "a..b@example.com", "@example.com"] {
            assert!(!is_accepted(text));
        }
    }

    #[test]
    fn display_names_and_address_literals_are_rejected() {
        assert!(!is_accepted("Ada <ada@example.com>"));
        assert!(!is_accepted("ada@[127.0.0.1]"));
        assert!(!is_accepted("ada@127.0.0.1"));
    }

    #[test]
    fn a_local_part_is_counted_in_bytes() {
        assert!(is_accepted(&format!("{}@example.com", "a".repeat(64))));
        assert!(!is_accepted(&format!("{}@example.com", "a".repeat(65))));
        assert!(is_accepted(&format!("{}@example.com", "é".repeat(32))));
        assert!(!is_accepted(&format!("{}@example.com", "é".repeat(33))));
    }

    #[test]
    fn its_debug_form_hides_it() {
        let address = EmailAddress::parse("ada@example.com").unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(_)");
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_lower_cased_and_accepted_again(
            text in r#"(\PC{0,40}|[\PC"\\.]{1,12}@[\PC.]{1,12}\.[a-zA-Zé]{1,5})"#,
        ) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(address.as_ref(), text.to_lowercase());
                prop_assert_eq!(EmailAddress::parse(address.as_ref()), Ok(address.clone()));
                let parts = format!("{}@{}", address.local_part(), address.domain());
                prop_assert_eq!(address.as_ref(), parts);
            }
        }
    }
}
