//! Notice to the owner of an existing account that somebody signed up with its address.
//!
//! Where clients do not learn that an address has an account, its owner may be notified by Auth0's
//! own password reset mail. Only the owner gets it, and it reveals nothing to the client.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::identity::KeyedRequest;
use crate::auth0::ResetMailResult;
use crate::clock::LedgerTime;
use crate::ledger::AttemptId;
use crate::telemetry::chain;

/// The time during which an address gets no second mail.
pub(super) const QUIET: Duration = Duration::from_hours(24);

impl Inner {
    /// Sends the notice in its own task, so that the response waits for neither the ledger nor the
    /// mail. At most one notice per address and day, across all replicas.
    ///
    /// It is recorded before the mail, so that after a crash there is no second one. The record of a mail that
    /// Auth0 certainly does not send is deleted: the next sign-up with the address tries again.
    pub(super) fn notify_existing_account(
        self: &Arc<Self>,
        request: &KeyedRequest,
        attempt: AttemptId,
    ) {
        let Some(client_id) = self.notice_client_id.clone() else { return };
        let inner = Arc::clone(self);
        let (mark, email) = (request.email, request.user.email.as_ref().to_owned());
        // Not the attempt's id: it belongs to every request that repeats the form.
        let owner = AttemptId::new(LedgerTime::from_epoch(self.context.clock.now()));
        let notify = async move {
            match inner.ledger.record_once(owner, mark, QUIET).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(
                        %attempt,
                        error = chain(&error),
                        "the owner of an address was not notified of a sign-up with it"
                    );
                    return;
                }
            }
            match inner.auth0.send_password_reset(&client_id, &email).await {
                ResetMailResult::Accepted | ResetMailResult::Unknown => {}
                ResetMailResult::NotSent => {
                    if let Err(error) = inner.ledger.delete_mark(owner, mark).await {
                        tracing::warn!(
                            %attempt,
                            error = chain(&error),
                            "the owner of an address gets no notice of a sign-up with it for a day"
                        );
                    }
                }
            }
        };
        drop(self.context.lifecycle.spawn(notify));
    }
}
