//! `POST /dbconnections/change_password`: Auth0 mails the owner of an address a link to set a new
//! password. Public, so it takes no token and counts against no budget of the Management API.

use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::client::Client;
use super::error::TransportError;
use super::http_client::{ConnectionChoice, SendError};
use crate::telemetry::{Operation, chain};

/// The result of a request for a password reset mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetMailResult {
    /// Auth0 accepted the request.
    Accepted,
    /// Auth0 certainly sends no mail: it rejected the request, or never got it.
    NotSent,
    /// Auth0 may send the mail: a 5xx, or no response.
    Unknown,
}

impl Client {
    /// Requests a password reset mail in the name of this application.
    ///
    /// Auth0's response is the same whether there is such a user or not. Any other response is
    /// logged.
    pub async fn send_password_reset(&self, client_id: &str, email: &str) -> ResetMailResult {
        let body = json!({ "client_id": client_id, "email": email, "connection": self.defaults.connection });
        let started = Instant::now();
        let mut request = self.request(Method::POST, self.change_password.clone());
        *request.body_mut() = Some(body.to_string().into());
        let sent = self.http.execute(request, ConnectionChoice::Pooled).await;
        let status = sent.map(|response| response.status().as_u16());
        let (label, result) = match status {
            Ok(200..=299) => ("accepted", ResetMailResult::Accepted),
            Ok(status @ (408 | 425 | 429 | 500..)) => failed(&TransportError::Status(status)),
            Ok(status) => {
                tracing::error!(
                    status,
                    "Auth0 rejects the password reset mail to the owner of an address: is \
                     existence_uniform.mail_client_id an application of this connection?"
                );
                ("rejected", ResetMailResult::NotSent)
            }
            Err(SendError { error, .. }) => failed(&error),
        };
        self.metrics.auth0_request(Operation::ChangePassword, label, started.elapsed());
        result
    }
}

/// Logs a failure that the operator cannot correct. Returns its label and the result.
fn failed(error: &TransportError) -> (&'static str, ResetMailResult) {
    let is_rejected = matches!(error, TransportError::Status(..500));
    let (result, message) = if is_rejected || error.is_unsent() {
        (
            ResetMailResult::NotSent,
            "the owner of an address gets no password reset mail until the next sign-up with it",
        )
    } else {
        (
            ResetMailResult::Unknown,
            "the owner of an address may not have received the password reset mail",
        )
    };
    tracing::warn!(error = chain(error), "{message}");
    ("failed", result)
}
