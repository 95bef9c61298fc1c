//! `multipart/form-data` (RFC 7578), as `fetch` sends it for `new FormData(form)`.

use std::borrow::Cow;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use multer::Multipart;

use super::media_type::{check_field, is_utf8};
use crate::form::{BodyMembers, BodyValue, members_from_pairs};
use crate::http::problem::{Problem, ProblemCode};

/// The most parts of a form.
const MAX_PARTS: usize = 64;

/// The parts of the form, collected like the members of a JSON object.
///
/// Skips a file without content, which a browser sends for an empty file input.
///
/// # Errors
/// 400 when the parts cannot be separated, have no name or are not UTF-8; 413 for more than 64;
/// 415 for a part in another charset, and for a form that states another one.
pub(super) async fn members(bytes: Bytes, boundary: &str) -> Result<BodyMembers<'static>, Problem> {
    let body = stream::iter([Ok::<_, Infallible>(bytes)]);
    let mut parts = Multipart::new(body, boundary);
    let mut pairs: Vec<(Cow<'static, str>, BodyValue<'static>)> = Vec::new();
    let mut count = 0;
    while let Some(part) = parts.next_field().await.map_err(|_| malformed())? {
        count += 1;
        if count > MAX_PARTS {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        let charset = part.content_type().and_then(|mime| mime.get_param("charset"));
        if charset.is_some_and(|charset| !is_utf8(charset.as_str())) {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType));
        }
        let name = part.name().ok_or_else(malformed)?.to_owned();
        let is_file = part.file_name().is_some() || has_encoded_file_name(part.headers());
        let content = part.bytes().await.map_err(|_| malformed())?;
        let value = if !is_file {
            let text = String::from_utf8(content.into()).map_err(|_| malformed())?;
            check_field(&name, &text)?;
            BodyValue::Text(Cow::Owned(text))
        } else if content.is_empty() {
            continue;
        } else {
            BodyValue::File
        };
        pairs.push((name.into(), value));
    }
    Ok(members_from_pairs(pairs))
}

/// Returns whether a part has the parameter `filename*` (RFC 5987), which `multer` does not read.
fn has_encoded_file_name(headers: &HeaderMap) -> bool {
    const NAME: &[u8] = b"filename*";
    let disposition = headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes);
    let mut parameters = disposition.unwrap_or_default().split(|byte| *byte == b';');
    parameters.any(|parameter| {
        let name = parameter.trim_ascii_start().get(..NAME.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    })
}

const fn malformed() -> Problem {
    Problem::new(ProblemCode::MalformedBody)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[(&str, &[u8])]) -> Bytes {
        let mut body = Vec::new();
        for (disposition, content) in parts {
            let head = format!("--X\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--X--\r\n");
        body.into()
    }

    #[tokio::test]
    async fn text_is_unchanged_and_empty_files_are_skipped() {
        let file = "name=\"picture\"; filename=\"me.png\"";
        let encoded = "name=\"nickname\"; filename*=UTF-8''n%C3%A9.txt";
        let empty = "name=\"cv\"; filename=\"\"";
        let name = ("name=\"name\"", "Zoë\r\nX".as_bytes());
        let bytes = body(&[name, (file, b"PNG"), (encoded, b"content"), (empty, b"")]);
        let members = members(bytes, "X").await.unwrap();
        assert_eq!(members.len(), 3);
        assert!(
            matches!(&members[0], (name, BodyValue::Text(text)) if name == "name" && text == "Zoë\r\nX")
        );
        assert!(matches!(&members[1], (name, BodyValue::File) if name == "picture"));
        assert!(matches!(&members[2], (name, BodyValue::File) if name == "nickname"));
    }

    #[tokio::test]
    async fn malformed_parts_are_rejected() {
        let code = |problem: Problem| problem.code;
        let not_utf8 = members(body(&[("name=\"a\"", b"\xff")]), "X").await;
        assert_eq!(not_utf8.map_err(code).err(), Some(ProblemCode::MalformedBody));
        let no_name = members(body(&[("x=\"a\"", b"1")]), "X").await;
        assert_eq!(no_name.map_err(code).err(), Some(ProblemCode::MalformedBody));
        let cut = members(Bytes::from_static(b"--X\r\nContent-Disp"), "X").await;
        assert_eq!(cut.map_err(code).err(), Some(ProblemCode::MalformedBody));
        let part: (&str, &[u8]) = ("name=\"a\"", b"1");
        let many = members(body(&[part; 65]), "X").await;
        assert_eq!(many.map_err(code).err(), Some(ProblemCode::BodyTooLarge));
    }
}
