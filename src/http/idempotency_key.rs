//! Where a caller's idempotency key stands: the header, or the field of a form that sets none.

use http::HeaderMap;

use crate::domain::{FieldError, IdempotencyKey, Violation};
use crate::form::{ControlField, FieldValue, Submission};

/// The `Idempotency-Key` header, if there is one.
///
/// # Errors
/// When there are several, or it is malformed.
pub(super) fn header(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Violation> {
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

/// The key of the header or the field; both may be given when they are the same.
///
/// # Errors
/// A fault of `/idempotency_key`.
pub(super) fn of(
    header: Result<Option<IdempotencyKey>, Violation>,
    form: &Submission<'_>,
) -> Result<Option<IdempotencyKey>, FieldError> {
    let fault = |violation| FieldError::at("/idempotency_key", violation);
    let field = match form.control(ControlField::IdempotencyKey) {
        FieldValue::Text(text) if !text.is_empty() => IdempotencyKey::parse(text).map(Some),
        // A faulty field is reported with the others.
        FieldValue::Text(_) | FieldValue::Absent | FieldValue::Invalid => Ok(None),
    };
    match (header.map_err(fault)?, field.map_err(fault)?) {
        (Some(header), Some(field)) if header.expose() != field.expose() => {
            Err(fault(Violation::Malformed))
        }
        (header, field) => Ok(header.or(field)),
    }
}
