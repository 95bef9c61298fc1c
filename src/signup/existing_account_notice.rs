//! Where callers are not told that an address has an account, its owner may be: by Auth0's own
//! mail for a new password, which is sent to nobody else and tells its sender nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{Inner, KeyedRequest};
use crate::ledger::{AttemptId, ProofUse};
use crate::telemetry::chain;

/// How long an address gets no second mail.
const QUIET: Duration = Duration::from_hours(24);

impl Inner {
    /// Has the owner of a known address told, in a task of its own: the answer waits for neither
    /// the ledger nor the mail. At most once an address and day, on all replicas.
    pub(super) fn tell_owner(self: &Arc<Self>, person: &KeyedRequest, id: AttemptId) {
        let Some(client_id) = self.owner_mail_client_id.clone() else { return };
        let shared = Arc::clone(self);
        let (proof, email) = (person.email.current, person.user.email.as_ref().to_owned());
        let told = async move {
            let once = ProofUse { proof, expires_at: shared.clock.now() + QUIET };
            match shared.ledger.use_proof(id, once).await {
                Ok(true) => shared.auth0.mail_new_password(&client_id, &email).await,
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    attempt = %id,
                    error = chain(&error),
                    "the owner of an address was not told of an attempt to sign up with it"
                ),
            }
        };
        drop(self.lifecycle.spawn(told));
    }
}
