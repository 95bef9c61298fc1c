//! `application/x-www-form-urlencoded`, parsed as in the WHATWG URL standard, except that four things are
//! rejected: bytes which are not UTF-8, a body that begins with `{`, a name without `=`, and one with a
//! double quote.
//!
//! Such a name is JSON under a form's `Content-Type`, or the part of a password after a `&` that was not
//! encoded. The error for an unknown field would repeat it. A part that contains `=` cannot be
//! distinguished from a field.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::media_type::check_field;
use crate::form::{BodyMembers, BodyValue, MAX_MEMBERS, members_from_pairs};
use crate::http::problem::{Problem, ProblemCode};

/// The pairs of the form, collected like the members of a JSON object.
///
/// # Errors
/// 400 when a name or value is not UTF-8, for a name without `=` or with a double quote, and for `{`, 413 for too
/// many pairs, 415 for a form that states another charset.
pub(super) fn members(bytes: &[u8]) -> Result<BodyMembers<'_>, Problem> {
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    if pairs.clone().count() > MAX_MEMBERS {
        return Err(Problem::new(ProblemCode::BodyTooLarge));
    }
    let malformed = || Problem::new(ProblemCode::MalformedBody);
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed());
    }
    let pairs = pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default()).ok_or_else(malformed)?;
        let value = halves.next().and_then(decode).ok_or_else(malformed)?;
        if name.contains('"') {
            return Err(malformed());
        }
        check_field(&name, &value)?;
        Ok((name, BodyValue::Text(value)))
    });
    let pairs: Result<Vec<_>, _> = pairs.collect();
    pairs.map(members_from_pairs)
}

fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if !bytes.contains(&b'+') {
        return percent_decode(bytes).decode_utf8().ok();
    }
    let spaced: Vec<u8> =
        bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(body: &str) -> Vec<(String, String)> {
        let members = members(body.as_bytes()).unwrap();
        let text = |value| match value {
            BodyValue::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        };
        members.into_iter().map(|(name, value)| (name.into_owned(), text(value))).collect()
    }

    #[test]
    fn pairs_are_decoded_as_browsers_encode_them() {
        let expected = [("a b", "c+d=e"), ("empty", ""), ("100%", "%zz")];
        let found = pairs("a+b=c%2Bd%3De&&empty=&100%25=%zz");
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn json_and_the_rest_of_a_value_are_no_form() {
        for body in [
            r#"{"password":"Analytical=1843"}"#,
            " {\"password\":\"Analytical\"}",
            r#"[{"password":"Anal=ytical"}]"#,
            "{password:Anal=ytical}",
            "\u{feff}{\"password\":\"Anal=ytical\"}",
            "%7B%22password%22:%22Anal=ytical%22%7D",
            r#"{"email":"a&b=c","password":"Anal=ytical"}"#,
            "password=Analytical&Engine",
            "Analytical",
        ] {
            assert!(members(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_rejected() {
        assert!(members(b"email=%ff").is_err());
        assert!(members(b"\xe9=1").is_err());
        assert!(members("email=%C3%A9".as_bytes()).is_ok());
    }
}
