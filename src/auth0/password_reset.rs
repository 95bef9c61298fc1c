//! `POST /dbconnections/change_password`: Auth0 mails the owner of an address a link to set a new
//! password. Public, so it takes no token and counts against no budget of the Management API.

use serde_json::json;
use tokio::time::Instant;

use super::client::Client;
use super::error::{Error, transport};
use crate::telemetry::{Operation, chain};

impl Client {
    /// Asks for the mail, in the name of this application. Auth0 answers alike whether there is
    /// such a user or not; what it answers otherwise is logged.
    pub async fn mail_new_password(&self, client_id: &str, email: &str) {
        let body =
            json!({ "client_id": client_id, "email": email, "connection": self.common.connection });
        let started = Instant::now();
        let request = self.http.post(self.change_password.clone());
        let sent = request.headers(self.headers.clone()).body(body.to_string()).send().await;
        let label = match &sent {
            Ok(answer) if answer.status().is_success() => "accepted",
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::error!(
                    status,
                    "Auth0 refuses to mail the owner of an address: is existence_uniform.mail_client_id an \
                     application of this connection?"
                );
                "refused"
            }
            Err(_) => "failed",
        };
        self.metrics.auth0_request(Operation::ChangePassword, label, started.elapsed());
        if let Err(Error::NotSent(cause) | Error::Ambiguous(cause)) = sent.map_err(transport) {
            tracing::warn!(
                error = chain(&*cause),
                "the owner of an address may not have been told"
            );
        }
    }
}
