//! Attempts for tests of this module, and the service: on a ledger in a temporary file, and at a tenant that does not
//! respond.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::call::PreparedCall;
use super::identity::KeyedRequest;
use super::ledger_wait::LedgerWait;
use super::{Connection, Deps, Inner, Request, Signups, Timeouts};
use crate::auth0::Client;
use crate::clock::{Clock, LedgerTime, SystemClock};
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Attributes, EmailAddress, IdempotencyKey, NewUser, Password};
use crate::ledger::{
    AdmissionCost, Attempt, AttemptId, AttemptState, Binding, KeyRecord, NewAttempt, NewKey,
    PinnedUserId, open_in,
};

/// An attempt in this state, which started at this time and is read then.
pub(super) fn attempt(state: AttemptState, started_at: LedgerTime) -> Attempt {
    let digest = Digest::from_bytes([1; 32]);
    Attempt {
        id: AttemptId::new(started_at),
        email: digest,
        key: None,
        user_id: PinnedUserId::from_digest(&digest),
        auth0_user_id: None,
        request_id: String::new(),
        auth0_request_id: None,
        state,
        outcome_code: None,
        started_at,
        tenant_started_at: None,
        finished_at: None,
        connection_ended_at: None,
        next_check_at: None,
        lease_owner: None,
        check_count: 0,
        worker: None,
        restarts: 0,
        terms: None,
        read_at: started_at,
    }
}

/// The service, and the folder of its ledger.
#[derive(Debug)]
pub(super) struct TestService {
    pub(super) signups: Signups,
    folder: PathBuf,
}

impl TestService {
    /// Starts it with an empty ledger.
    pub(super) async fn start() -> Self {
        Self::start_at(Arc::new(SystemClock)).await
    }

    /// Starts it with an empty ledger, by this clock.
    pub(super) async fn start_at(clock: Arc<dyn Clock>) -> Self {
        let folder = std::env::temp_dir().join(format!("signups-{:016x}", rand::random::<u64>()));
        let (ledger, digests) = open_in(&folder, &clock).await;
        let context = Context::new(clock, digests);
        let minute = Duration::from_mins(1);
        let signups = Signups::new(Deps {
            auth0: Arc::new(Client::unreachable(&context)),
            ledger,
            context,
            timeouts: Timeouts {
                key_lifetime: Duration::from_hours(24),
                duplicate_wait: minute,
                retry_window: minute,
                attempt: minute,
                lease: minute,
                absence_grace: minute,
                ledger: minute,
            },
            connection: Connection {
                tenant: "https://tenant".to_owned(),
                name: "users".to_owned(),
            },
            pin_user_id: true,
            hides_existence: false,
            has_replicas: false,
            notice_client_id: None,
        });
        Self { signups, folder }
    }

    /// The state of the service.
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.signups.0
    }

    /// A request of Ada's, with this key of the client.
    pub(super) fn request(&self, key: Option<&str>) -> KeyedRequest {
        let user = NewUser {
            email: EmailAddress::parse("ada@example.com").unwrap(),
            password: Password::new("Difference-Engine-1843"),
            attributes: Attributes::default(),
            user_metadata: BTreeMap::new(),
            terms: None,
        };
        let Inner { context, timeouts, .. } = &**self.inner();
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        let wait = LedgerWait::new(timeouts.ledger);
        let request = Request { user, key, request_id: "request".to_owned(), is_own_form: false };
        KeyedRequest::new(&context.digests, request, wait)
    }

    /// Records an attempt with the request's address and this user id, which started at this time. No other has
    /// its key.
    pub(super) async fn record(
        &self,
        request: &KeyedRequest,
        call: &PreparedCall,
        binding: Binding,
    ) {
        let records = vec![KeyRecord { key: Digest::from_bytes(rand::random()), binding }];
        let attempt = self.inner().new_attempt(request, call, AdmissionCost::default());
        let key = NewKey { records, ..attempt.key };
        self.inner().ledger.begin(NewAttempt { key, ..attempt }).await.unwrap();
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        // Stays in the system's temporary folder if the ledger still writes to it.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
