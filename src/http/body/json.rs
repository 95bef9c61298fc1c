//! `application/json`: one object.

use crate::form::{BodyMembers, BodyValue, JsonError};
use crate::http::problem::{Problem, ProblemCode};

/// The members of the object.
///
/// # Errors
/// 400 when the bytes are not UTF-8, not JSON, or not an object; 413 for too many members.
pub(super) fn members(bytes: &[u8]) -> Result<BodyMembers<'_>, Problem> {
    match BodyValue::from_json(bytes) {
        Ok(BodyValue::Object(members)) => Ok(members),
        Err(JsonError::TooMany) => Err(Problem::new(ProblemCode::BodyTooLarge)),
        Ok(_) | Err(JsonError::Malformed) => Err(Problem::new(ProblemCode::MalformedBody)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_accepted() {
        assert!(members(br#" {"email":"a"} "#).is_ok());
        let deep = "[".repeat(60_000);
        for body in ["", "[]", "\"x\"", "1", "null", "{} {}", "{\"a\":}", "{'a':1}", &deep] {
            assert!(members(body.as_bytes()).is_err(), "{body:.20}");
        }
        assert!(members(b"{\"a\":\"\xff\"}").is_err());
    }
}
