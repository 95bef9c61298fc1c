//! The tenant's responses, before any fault is applied.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

/// A complete response: status, headers and body.
#[derive(Clone, Debug)]
pub(crate) struct TenantResponse {
    /// The status code.
    pub(crate) status: StatusCode,
    /// The headers, except those the connection adds.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl TenantResponse {
    /// A response without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A response with a `body` of the given media type.
    pub(crate) fn text(
        status: StatusCode,
        media_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let response = Self { status, headers: HeaderMap::new(), body: body.into() };
        response.with_header(CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// A JSON response with the tenant's content type.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Every body is built from strings, numbers and maps with string keys.
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        Self::text(status, "application/json; charset=utf-8", bytes)
    }

    /// An error of the Management API. Some errors of the real tenant have no `errorCode`.
    pub(crate) fn error(
        status: StatusCode,
        message: impl Into<String>,
        code: Option<&str>,
    ) -> Self {
        let mut body = json!({
            "statusCode": status.as_u16(),
            "error": status.canonical_reason().unwrap_or_default(),
            "message": message.into(),
        });
        if let (Some(code), Some(members)) = (code, body.as_object_mut()) {
            members.insert("errorCode".to_owned(), Value::from(code));
        }
        Self::json(status, &body)
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    /// Adds the tenant's `no-store` header.
    pub(crate) fn no_store(self) -> Self {
        let value = "private, no-store, no-cache, must-revalidate, post-check=0, pre-check=0";
        self.with_header(CACHE_CONTROL, HeaderValue::from_static(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_code_has_no_error_code_member() {
        let response = TenantResponse::error(StatusCode::BAD_REQUEST, "no", None);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(body, json!({"statusCode": 400, "error": "Bad Request", "message": "no"}));
    }
}
