//! An error response of Auth0's endpoint.

use http::StatusCode;
use serde_json::{Value, json};

/// An error as Auth0's endpoint responds. Lock chooses its text by `code`.
pub(in crate::http) struct ErrorResponse {
    /// The status that Auth0 returns, which may differ from the problem's.
    pub(in crate::http) status: StatusCode,
    /// The body.
    pub(in crate::http) body: Value,
}

impl ErrorResponse {
    pub(super) fn new(name: &str, code: &str, description: &str, status: StatusCode) -> Self {
        let body = json!({
            "name": name,
            "code": code,
            "description": description,
            "statusCode": status.as_u16(),
        });
        Self { status, body }
    }

    /// Sets a member of the body.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(members) = self.body.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        self
    }

    /// A 400 with a code.
    pub(super) fn bad_request(code: &str, description: &str) -> Self {
        Self::new("BadRequestError", code, description, StatusCode::BAD_REQUEST)
    }
}
