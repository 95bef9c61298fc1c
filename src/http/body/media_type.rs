//! The media type of a body (RFC 9110, 8.3).

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::form::ControlField;
use crate::http::problem::{Problem, ProblemCode};

/// The accepted media types.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Urlencoded,
    /// `multipart/form-data`
    Multipart {
        /// The delimiter of the parts.
        boundary: String,
    },
}

impl MediaType {
    /// Parses the `Content-Type` of a request.
    ///
    /// # Errors
    /// 415 for none, several, another type, a charset other than UTF-8 or a content coding; 400 for
    /// a multipart type without a boundary.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(unsupported());
        }
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(value)), None) => Self::parse(value),
            _ => Err(unsupported()),
        }
    }

    fn parse(value: &str) -> Result<Self, Problem> {
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let is = |name: &str| essence.trim().eq_ignore_ascii_case(name);
        let charset = parameter(parameters, "charset");
        if charset.is_some_and(|charset| !is_utf8(&charset)) {
            return Err(unsupported());
        }
        if is("application/json") {
            Ok(Self::Json)
        } else if is("application/x-www-form-urlencoded") {
            Ok(Self::Urlencoded)
        } else if is("multipart/form-data") {
            // RFC 2046, 5.1.1: 1 to 70 characters.
            let boundary = parameter(parameters, "boundary");
            let boundary = boundary.filter(|boundary| (1..=70).contains(&boundary.len()));
            Ok(Self::Multipart {
                boundary: boundary.ok_or(Problem::new(ProblemCode::MalformedBody))?,
            })
        } else {
            Err(unsupported())
        }
    }
}

/// Returns whether a charset's label denotes UTF-8.
pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Checks the charset that a field of a form states, if it is the one that browsers fill in
/// (`_charset_`). A blank value states none.
///
/// # Errors
/// 415 for a charset other than UTF-8.
pub(super) fn check_field(name: &str, value: &str) -> Result<(), Problem> {
    let charset = value.trim();
    if name != ControlField::Charset.name() || charset.is_empty() || is_utf8(charset) {
        Ok(())
    } else {
        Err(unsupported())
    }
}

/// The first parameter of that name, unquoted.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value).to_owned())
}

const fn unsupported() -> Problem {
    Problem::new(ProblemCode::UnsupportedMediaType)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<MediaType, ProblemCode> {
        MediaType::parse(value).map_err(|problem| problem.code)
    }

    #[test]
    fn the_three_types_are_accepted_in_any_case() {
        assert_eq!(parse("application/json"), Ok(MediaType::Json));
        assert_eq!(parse("Application/JSON; charset=\"UTF-8\""), Ok(MediaType::Json));
        assert_eq!(parse("application/x-www-form-urlencoded"), Ok(MediaType::Urlencoded));
        let boundary = "----WebKitFormBoundaryX".to_owned();
        let value = format!("multipart/form-data; boundary={boundary}");
        assert_eq!(parse(&value), Ok(MediaType::Multipart { boundary }));
    }

    #[test]
    fn anything_else_is_unsupported() {
        for value in [
            "",
            "text/plain",
            "text/plain; application/json",
            "application/jsonp",
            "application/problem+json",
            "application/json; charset=iso-8859-1",
            "application/x-www-form-urlencoded;charset=windows-1252",
        ] {
            assert_eq!(parse(value), Err(ProblemCode::UnsupportedMediaType), "{value}");
        }
    }

    #[test]
    fn a_multipart_type_needs_a_boundary() {
        for value in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert_eq!(parse(value), Err(ProblemCode::MalformedBody), "{value}");
        }
    }
}
