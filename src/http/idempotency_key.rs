//! A request's idempotency key, from the header or from the field of a form without a script.

use http::HeaderMap;

use crate::domain::{FieldError, IdempotencyKey, Violation};
use crate::form::{ControlField, Submission};

/// The `Idempotency-Key` header, if there is one.
///
/// # Errors
/// When there are several, or it is malformed.
pub(super) fn from_header(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Violation> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Violation::Malformed)?;
            IdempotencyKey::parse(text).map(Some)
        }
        (Some(_), Some(_)) => Err(Violation::Malformed),
    }
}

/// The key of the header or the field, of which a blank one is absent. Both may be present if they are
/// equal.
///
/// # Errors
/// An error at `/idempotency_key`.
pub(super) fn from_header_or_field(
    header: Result<Option<IdempotencyKey>, Violation>,
    form: &Submission<'_>,
) -> Result<Option<IdempotencyKey>, FieldError> {
    let error = |violation| FieldError::at("/idempotency_key", violation);
    // The rules report an invalid field with the other errors.
    let field = form.control(ControlField::IdempotencyKey).trimmed();
    let field = field.map(IdempotencyKey::parse).transpose();
    match (header.map_err(error)?, field.map_err(error)?) {
        (Some(header), Some(field)) if header.expose() != field.expose() => {
            Err(error(Violation::Malformed))
        }
        (header, field) => Ok(header.or(field)),
    }
}
