//! `POST /dbconnections/change_password`: Auth0 mails the owner of an address a link to set a new
//! password. Public, so it takes no token and counts against no budget of the Management API.

use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::client::Client;
use super::error::TransportError;
use super::http_client::{ConnectionChoice, SendError};
use crate::telemetry::{Operation, chain};

impl Client {
    /// Requests a password reset mail in the name of this application.
    ///
    /// Auth0's response is the same whether there is such a user or not. Any other response is
    /// logged.
    pub async fn send_password_reset(&self, client_id: &str, email: &str) {
        let body = json!({ "client_id": client_id, "email": email, "connection": self.defaults.connection });
        let started = Instant::now();
        let mut request = self.request(Method::POST, self.change_password.clone());
        *request.body_mut() = Some(body.to_string().into());
        let sent = self.http.execute(request, ConnectionChoice::Pooled).await;
        let result = match sent {
            Ok(response) if response.status().is_success() => Ok("accepted"),
            Ok(response) => match response.status().as_u16() {
                status @ (408 | 425 | 429 | 500..) => Err(TransportError::Status(status)),
                status => {
                    tracing::error!(
                        status,
                        "Auth0 rejects the password reset mail to the owner of an address: is \
                         existence_uniform.mail_client_id an application of this connection?"
                    );
                    Ok("rejected")
                }
            },
            Err(SendError { error, .. }) => Err(error),
        };
        if let Err(error) = &result {
            tracing::warn!(
                error = chain(error),
                "the owner of an address may not have received the password reset mail"
            );
        }
        let label = result.unwrap_or("failed");
        self.metrics.auth0_request(Operation::ChangePassword, label, started.elapsed());
    }
}
