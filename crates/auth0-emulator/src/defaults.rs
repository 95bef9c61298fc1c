//! Default name, nickname and picture of a new user.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Every character except those that JavaScript's `encodeURIComponent` leaves unescaped.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The default nickname: the e-mail's local part, unchanged.
pub(crate) fn nickname(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

/// The default picture: the e-mail's Gravatar, falling back to an avatar of the initials.
pub(crate) fn picture(email: &str, name: Option<&str>) -> String {
    let digest = md5::compute(email.to_lowercase());
    let fallback = format!("https://cdn.auth0.com/avatars/{}.png", initials(name.unwrap_or(email)));
    let fallback = utf8_percent_encode(&fallback, COMPONENT);
    format!("https://s.gravatar.com/avatar/{digest:x}?s=480&r=pg&d={fallback}")
}

/// Two lower-case letters: the initials of the first two words, or the first two letters of a
/// single word.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let letters: String = match words.as_slice() {
        [first, second, ..] => first.chars().take(1).chain(second.chars().take(1)).collect(),
        [only] => only.chars().take(2).collect(),
        [] => String::new(),
    };
    letters.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_the_gravatar_of_the_lower_cased_email() {
        // md5 of `ada@example.com`, computed with another tool.
        let expected = "https://s.gravatar.com/avatar/3e3417d7ef77d5932a6734b916515ed5?s=480&r=pg&d=\
            https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fad.png";
        assert_eq!(picture("Ada@Example.com", None), expected);
    }

    #[test]
    fn initials_come_from_the_words_of_the_name() {
        for (name, expected) in [
            ("byron.schaden", "by"),
            ("John3 Doe", "jd"),
            ("Ada King Lovelace", "ak"),
            ("Ada@Example.com", "ad"),
            ("x", "x"),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn the_nickname_keeps_tags_and_dots() {
        assert_eq!(nickname("a.b+c@example.com"), "a.b+c");
    }
}
