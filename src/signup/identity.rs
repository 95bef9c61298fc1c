//! The identity of an attempt, computed from the sign-up: the idempotency key with the form that it
//! is bound to, and the user ids that its create call may have pinned.
//!
//! Nothing has to be remembered for it. A replica that lost the row of an attempt, or never had it,
//! computes the same ids and so recognises the user that the attempt created.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ledger_wait::LedgerWait;
use super::{Request, Timeouts};
use crate::clock::{LedgerTime, TenantTime};
use crate::digest::{Digest, DigestPair, Digests, UserIdParts};
use crate::domain::{IdempotencyKey, NewUser};
use crate::ledger::{Binding, KeyRecord, NewKey, PinnedUserId, StoredKey};

/// Lifetime of the key that stands for a form without one.
pub(super) const IMPLICIT_KEY_LIFETIME: Duration = Duration::from_mins(10);

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A database connection of a tenant.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The tenant's base URL.
    pub tenant: String,
    /// The connection's name.
    pub name: String,
}

impl Connection {
    /// The digests under which the ledger keeps what is known about it.
    pub(super) fn digests(&self, digests: &Digests) -> DigestPair {
        digests.connection(&self.tenant, &self.name)
    }
}

/// A request with its digests.
#[derive(Debug)]
pub(super) struct KeyedRequest {
    pub(super) user: NewUser,
    pub(super) request_id: String,
    /// The e-mail address.
    pub(super) email: DigestPair,
    /// The e-mail address and the password, which the key is bound to.
    pub(super) binding: DigestPair,
    /// The idempotency key: the client's, or the one that stands for the form.
    pub(super) key: DigestPair,
    /// The client's key, if it sent one.
    client_key: Option<IdempotencyKey>,
    /// A form of the built-in page, which issues a key with each.
    pub(super) is_own_form: bool,
    pub(super) ledger_wait: LedgerWait,
}

impl KeyedRequest {
    /// Computes the digests of a request.
    pub(super) fn new(digests: &Digests, request: Request, ledger_wait: LedgerWait) -> Self {
        let Request { user, key: client_key, request_id, is_own_form } = request;
        let email = user.email.as_ref();
        let binding = digests.binding(email, user.password.secret());
        let key = match &client_key {
            // The Back button and a copied tab show a form of the page with its key, often to
            // another person. Its key stands for one address only. No key contains a blank.
            Some(key) if is_own_form => {
                digests.idempotency_key(&format!("{} {email}", key.expose()))
            }
            Some(key) => digests.idempotency_key(key.expose()),
            None => digests.implicit_key(email, &binding),
        };
        Self {
            email: digests.email(email),
            binding,
            key,
            client_key,
            user,
            request_id,
            is_own_form,
            ledger_wait,
        }
    }

    /// The digest by which this process finds a duplicate. It has the whole password in it, and
    /// stays in memory.
    pub(super) fn in_flight_key(&self) -> Digest {
        if self.client_key.is_some() { self.key.current } else { self.binding.current }
    }

    /// The key as the ledger records it.
    pub(super) fn new_key(&self, timeouts: &Timeouts) -> NewKey {
        let records = self.key.iter().zip(self.binding.iter());
        let record = |(key, binding): (&Digest, &Digest)| KeyRecord {
            key: *key,
            binding: Binding::from_digest(binding),
        };
        NewKey { records: records.map(record).collect(), lifetime: self.key_lifetime(timeouts) }
    }

    /// The time from the start of an attempt until its key expires.
    pub(super) fn key_lifetime(&self, timeouts: &Timeouts) -> Duration {
        if self.client_key.is_some() { timeouts.key_lifetime } else { IMPLICIT_KEY_LIFETIME }
    }

    /// Returns whether a recorded key is bound to this form.
    pub(super) fn is_bound(&self, key: &StoredKey) -> bool {
        self.binding.iter().any(|binding| Binding::from_digest(binding) == key.binding)
    }

    /// The id that a create call pins at this time: of the tenant's day if that is known, because this
    /// machine's clock may be set.
    pub(super) fn user_id(
        &self,
        digests: &Digests,
        connection: &Connection,
        now: LedgerTime,
        tenant_now: Option<TenantTime>,
    ) -> PinnedUserId {
        let now = tenant_now.map_or(now.since_epoch(), TenantTime::since_epoch);
        PinnedUserId::from_digest(&self.ids_of_day(digests, connection, day(now)).current)
    }

    /// Every id that a create call may have pinned within this lifetime of the key: those of each
    /// day, by both clocks, under each secret. Tomorrow's too, in case the clock was ahead.
    pub(super) fn candidate_ids(
        &self,
        digests: &Digests,
        connection: &Connection,
        now: LedgerTime,
        tenant_now: Option<TenantTime>,
        lifetime: Duration,
    ) -> Vec<PinnedUserId> {
        let days_until = |now| {
            let today = day(now);
            today.saturating_sub(lifetime.as_secs().div_ceil(DAY))..=today + 1
        };
        let clocks = [Some(now.since_epoch()), tenant_now.map(TenantTime::since_epoch)];
        let days: BTreeSet<u64> = clocks.into_iter().flatten().flat_map(days_until).collect();
        let ids = days.into_iter().map(|day| self.ids_of_day(digests, connection, day));
        let digests: Vec<_> = ids.collect();
        digests.iter().flat_map(DigestPair::iter).map(PinnedUserId::from_digest).collect()
    }

    /// Returns whether the client sent a key.
    pub(super) const fn has_client_key(&self) -> bool {
        self.client_key.is_some()
    }

    /// The id that a create call pins on this day, under each secret.
    fn ids_of_day(&self, digests: &Digests, connection: &Connection, day: u64) -> DigestPair {
        let parts = UserIdParts {
            tenant: &connection.tenant,
            connection: &connection.name,
            day,
            email: self.user.email.as_ref(),
            key: self.client_key.as_ref().map(IdempotencyKey::expose),
        };
        digests.user_id(&parts, &self.binding)
    }
}

/// The UTC day of a time since the Unix epoch, counted from there.
const fn day(at: Duration) -> u64 {
    at.as_secs() / DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signup::test_service::TestService;

    /// The ledger's clock and the tenant's may be days apart.
    #[tokio::test]
    async fn every_day_of_either_clock_has_a_candidate_id() {
        let service = TestService::start().await;
        let (digests, connection) = (&service.inner().context.digests, &service.inner().connection);
        let request = service.request(None);
        let at = |day: u64| Duration::from_secs(day * DAY + DAY / 2);
        let ids = request.candidate_ids(
            digests,
            connection,
            LedgerTime::from_epoch(at(20_000)),
            Some(TenantTime::from_epoch(at(20_010))),
            IMPLICIT_KEY_LIFETIME,
        );
        let is_candidate = |day| {
            let now = LedgerTime::from_epoch(at(day));
            ids.contains(&request.user_id(digests, connection, now, None))
        };
        let days: Vec<_> = (19_990..20_020).filter(|day| is_candidate(*day)).collect();
        assert_eq!(days, [19_999, 20_000, 20_001, 20_009, 20_010, 20_011]);
    }
}
