//! The lookup of an attempt's user by e-mail address, and what its users say about the attempt.
//!
//! A user is the attempt's own if its id is one that the attempt may have pinned, if it was created
//! within the lifetime of the key by the tenant's own clock, and if no other attempt in the ledger
//! may have created it. Where the connection does not keep ids, the time of creation and the
//! attributes have to do. Of a user that is linked to another profile neither is known: its id and
//! the ledger decide, or nothing does.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::call::{AttemptRunner, PAUSE};
use super::identity::IMPLICIT_KEY_LIFETIME;
use super::outcome::{Outcome, SignupResult};
use crate::auth0::{FoundUser, LookupError, Priority, User, UsersByEmail};
use crate::clock::{LedgerTime, TenantTime};
use crate::domain::{Field, UserId};
use crate::ledger::{Attempt, AttemptState, Find, LedgerError};

/// The most attempts with one address that are compared with a user found by it.
pub(super) const MAX_RIVALS: usize = 100;

/// A user who was created this long before the attempt started may still be its own: the tenant
/// reports its time in whole seconds, and its servers' clocks differ a little.
pub(super) const CLOCK_BOUND: Duration = Duration::from_secs(2);

/// The meaning of a lookup by e-mail address for an attempt.
#[derive(Debug)]
pub(super) enum AddressLookup {
    /// No user of the connection has the address.
    NoUser,
    /// The attempt created this user.
    Own(User),
    /// Another user has the address.
    Taken,
    /// A user has the address, and may or may not be the attempt's own.
    Unclear,
}

impl AddressLookup {
    /// The result of an attempt, if the lookup is conclusive.
    pub(super) fn result(self) -> Option<SignupResult> {
        match self {
            Self::Own(user) => Some(user.into()),
            Self::Taken => Some(SignupResult::new(Outcome::EmailTaken)),
            Self::NoUser | Self::Unclear => None,
        }
    }
}

/// The claim of another attempt on a user with a candidate id, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RivalClaim {
    /// It created no user, or is this client's own and its key has expired.
    Unclaimed,
    /// It belongs to another sign-up, and may have created the user.
    Contested,
    /// It belongs to this sign-up, and may have created the user.
    Bound,
    /// It belongs to another sign-up, which has the user.
    Other,
}

impl AttemptRunner<'_> {
    /// Looks up the users with the address, and judges them.
    pub(super) async fn look_up_address(
        &self,
        priority: Priority,
    ) -> Result<AddressLookup, LookupError> {
        let found = self.users_by_email(priority).await?;
        Ok(self.judge(found).await)
    }

    /// Judges the users with the address.
    async fn judge(&self, found: UsersByEmail) -> AddressLookup {
        if found.users.is_empty() {
            return AddressLookup::NoUser;
        }
        self.remember_older(&found);
        if let Some(user) = self.with_candidate_id(&found) {
            return self.judge_candidate(user, found.responded_at).await;
        }
        if self.request.is_own_form {
            match self.of_another_tab(&found).await {
                Ok(Some(user)) => return AddressLookup::Own(user),
                Ok(None) => {}
                Err(_) => return AddressLookup::Unclear,
            }
        }
        if self.service.pin_support.is_kept() || !self.may_have_acted() {
            return AddressLookup::Taken;
        }
        self.judge_by_time(found).await
    }

    /// Looks up the users with the address. Without a usable response, once more: nothing else shows whose
    /// user it is.
    async fn users_by_email(&self, priority: Priority) -> Result<UsersByEmail, LookupError> {
        let look_up = || {
            let email = self.request.user.email.as_ref();
            self.service.auth0.users_by_email(email, priority)
        };
        match look_up().await {
            Err(LookupError::Failed(error))
                if error.is_temporary() && Instant::now() + PAUSE < self.retry_until() =>
            {
                sleep(PAUSE).await;
                look_up().await
            }
            found => found,
        }
    }

    /// Remembers the address if all of its users are older than any key, so that no attempt whose
    /// key lives can have created one of them.
    fn remember_older(&self, found: &UsersByEmail) {
        let lifetime = self.service.timeouts.key_lifetime;
        let is_older = |user: &FoundUser| {
            let times = found.responded_at.zip(user.created_at);
            times.is_some_and(|(now, created_at)| now.since(created_at) > lifetime)
        };
        if found.users.iter().all(is_older) {
            self.service.taken_addresses.insert(self.request.email.current, Instant::now());
        }
    }

    /// Finds the user with an id that this attempt, or an earlier one with its key, may have
    /// pinned.
    fn with_candidate_id<'f>(&self, found: &'f UsersByEmail) -> Option<&'f FoundUser> {
        let Self { service, request, call, .. } = self;
        if !service.pin_support.is_pinning() {
            return None;
        }
        let digests = &service.context.digests;
        let lifetime = request.key_lifetime(&service.timeouts);
        let (connection, tenant_now) = (&service.connection, found.responded_at);
        let now = call.started_at;
        let computed = request.candidate_ids(digests, connection, now, tenant_now, lifetime);
        found.users.iter().find(|user| {
            let mut ids = computed.iter().chain([&call.user_id]);
            ids.any(|id| id.to_user_id() == user.user.user_id)
        })
    }

    /// Finds a user that another form of the built-in page created in the last ten minutes, with this
    /// address and password: the user sent the form from two tabs.
    async fn of_another_tab(&self, found: &UsersByEmail) -> Result<Option<User>, LedgerError> {
        let Some(responded_at) = found.responded_at else { return Ok(None) };
        let is_recent = |user: &&FoundUser| {
            let age = user.created_at.map(|created_at| responded_at.since(created_at));
            age.is_none_or(|age| age <= IMPLICIT_KEY_LIFETIME)
        };
        for user in found.users.iter().filter(is_recent) {
            let find = Find::User(self.request.email, user.user.user_id.clone());
            let mut attempts = self.find(find).await?;
            if user.created_at.is_none() {
                attempts.retain(|attempt| {
                    attempt.read_at.since(attempt.started_at) <= IMPLICIT_KEY_LIFETIME
                });
            }
            let may_have_created = |attempt: &Attempt| {
                let is_bound = attempt.key.as_ref().is_some_and(|key| self.request.is_bound(key));
                is_bound
                    && !matches!(attempt.state, AttemptState::NotCreated | AttemptState::Exists)
            };
            if attempts.iter().any(may_have_created) {
                return Ok(Some(user.user.clone()));
            }
        }
        Ok(None)
    }

    /// Judges a user with a candidate id.
    async fn judge_candidate(
        &self,
        found: &FoundUser,
        responded_at: Option<TenantTime>,
    ) -> AddressLookup {
        let Self { service, request, .. } = self;
        let Some(responded_at) = responded_at else { return AddressLookup::Unclear };
        let age = found.created_at.map(|created_at| responded_at.since(created_at));
        if age.is_some_and(|age| age > request.key_lifetime(&service.timeouts)) {
            return AddressLookup::Taken;
        }
        let Some(claim) = self.rival_claim(found, responded_at).await else {
            return AddressLookup::Unclear;
        };
        if claim == RivalClaim::Other {
            return AddressLookup::Taken;
        }
        // A resumed attempt is bound to this form by its key, which found it.
        let is_bound = match claim {
            RivalClaim::Unclaimed => self.is_resumed,
            RivalClaim::Bound => true,
            RivalClaim::Contested | RivalClaim::Other => false,
        };
        // Another form without a key may pin the same id. Its user has other attributes.
        let has_attributes = request.user.attributes.iter().next().is_some();
        if !request.has_client_key() && !is_bound {
            if age.is_none() && (claim == RivalClaim::Contested || !self.may_have_acted()) {
                return AddressLookup::Unclear;
            }
            if age.is_some() && has_attributes && !self.has_sent_attributes(&found.user) {
                return AddressLookup::Taken;
            }
            if claim == RivalClaim::Contested && !has_attributes {
                return AddressLookup::Unclear;
            }
        }
        let is_known = is_bound || self.may_have_acted();
        AddressLookup::Own(if is_known {
            found.user.clone()
        } else {
            // No row shows which form the user was created with: only what this one has anyway.
            User::known(found.user.user_id.clone(), request.user.email.as_ref())
        })
    }

    /// The strongest claim of other attempts on a user. `None` if the ledger cannot be read, or has
    /// too many of them.
    async fn rival_claim(&self, found: &FoundUser, responded_at: TenantTime) -> Option<RivalClaim> {
        let find = Find::User(self.request.email, found.user.user_id.clone());
        let attempts = self.find(find).await.ok()?;
        if attempts.len() == MAX_RIVALS {
            return None;
        }
        let lifetime = self.request.key_lifetime(&self.service.timeouts);
        let has_expired = |attempt: &Attempt| {
            attempt.state == AttemptState::Created
                && attempt.read_at.since(attempt.started_at) >= lifetime
        };
        // A linked user has no date, so its row shows that its key has expired. The binding does not:
        // the next attempt with the key replaces it.
        if found.created_at.is_none() && attempts.iter().any(has_expired) {
            return Some(RivalClaim::Other);
        }
        let times = found.created_at.zip(self.tenant_started_at(Some(responded_at)));
        let is_new = times.is_some_and(|(created_at, started_at)| created_at >= started_at);
        let rivals = attempts.iter().filter(|attempt| attempt.id != self.call.id);
        // The user of an attempt that ended before this one started was deleted if this one is newer.
        let rivals = rivals.filter(|rival| !(is_new && self.had_ended(rival)));
        Some(rivals.map(|rival| self.claim_of(rival)).max().unwrap_or(RivalClaim::Unclaimed))
    }

    /// Returns whether another attempt had created its user well before this one started.
    fn had_ended(&self, rival: &Attempt) -> bool {
        let is_before = |at: LedgerTime| at + CLOCK_BOUND <= self.call.started_at;
        rival.state == AttemptState::Created && rival.finished_at.is_some_and(is_before)
    }

    /// The claim of another attempt on a user whose id it may have pinned.
    fn claim_of(&self, rival: &Attempt) -> RivalClaim {
        let request = self.request;
        match (&rival.key, rival.state) {
            (_, AttemptState::NotCreated | AttemptState::Exists) => RivalClaim::Unclaimed,
            (Some(key), _) if request.is_bound(key) => RivalClaim::Bound,
            // Only a client knows its key, so an expired one is still its own.
            (None, AttemptState::Created) if request.has_client_key() => RivalClaim::Unclaimed,
            (_, AttemptState::Created) => RivalClaim::Other,
            // The same key with another password.
            (Some(_), _) if request.has_client_key() => RivalClaim::Other,
            (_, AttemptState::Open | AttemptState::Unknown) => RivalClaim::Contested,
        }
    }

    /// Judges users whose ids say nothing: the attempt's own is the only one, was created since it
    /// started by the tenant's clock, has every attribute that was sent, and no other attempt can
    /// have created it. The tenant reports its time in whole seconds, so the time alone would also
    /// fit a user that somebody else created just before.
    async fn judge_by_time(&self, found: UsersByEmail) -> AddressLookup {
        let Some(started_at) = self.tenant_started_at(found.responded_at) else {
            return AddressLookup::Unclear;
        };
        let is_new = |user: &FoundUser| user.created_at.is_some_and(|at| at >= started_at);
        let before = started_at.before(CLOCK_BOUND);
        let is_older = |user: &FoundUser| user.created_at.is_some_and(|at| at < before);
        if found.users.iter().all(is_older) {
            return AddressLookup::Taken;
        }
        let mut users = found.users.into_iter();
        match (users.next(), users.next()) {
            (Some(only), None)
                if is_new(&only)
                    && self.has_sent_attributes(&only.user)
                    && self.is_unclaimed(&only.user.user_id).await =>
            {
                AddressLookup::Own(only.user)
            }
            _ => AddressLookup::Unclear,
        }
    }

    /// Finds attempts, at most [`MAX_RIVALS`].
    async fn find(&self, find: Find) -> Result<Vec<Attempt>, LedgerError> {
        let found = self.service.ledger.find(find, MAX_RIVALS);
        self.request.ledger_wait.limit(found).await
    }

    /// Returns whether a user has the attributes of this form; `false` if the form has none.
    fn has_sent_attributes(&self, user: &User) -> bool {
        let sent = &self.request.user.attributes;
        let has = |(field, value): (Field, &str)| {
            user.attribute(field).is_some_and(|stored| match field {
                // Auth0 stores usernames in lower case.
                Field::Username => stored.to_lowercase() == value.to_lowercase(),
                _ => stored == value,
            })
        };
        sent.iter().next().is_some() && sent.iter().all(has)
    }

    /// The tenant's time when the attempt started. For an attempt that this request started: the
    /// response's time less the time since the start, because the tenant's clock may have been set
    /// since an earlier call. For a resumed one: the recorded time. If the tenant had not shown its time by then,
    /// nothing shows it: the ledger's clock may have been set since.
    fn tenant_started_at(&self, responded_at: Option<TenantTime>) -> Option<TenantTime> {
        if self.is_resumed {
            return self.call.tenant_started_at;
        }
        responded_at.map(|at| at.before(self.started_at.elapsed())).max(self.call.tenant_started_at)
    }

    /// Returns whether no other attempt with this address created this user, or may have.
    async fn is_unclaimed(&self, user_id: &UserId) -> bool {
        let find = Find::Email(self.request.email);
        let Ok(attempts) = self.find(find).await else {
            return false;
        };
        let may_have_created = |attempt: &Attempt| match attempt.state {
            AttemptState::Open => true,
            // A call that ended before this attempt started created no user since then.
            AttemptState::Unknown => attempt.connection_ended_at.is_none_or(|ended_at| {
                ended_at + self.service.timeouts.absence_grace > self.call.started_at
            }),
            AttemptState::Created => attempt.created_user_id() == *user_id,
            AttemptState::Exists | AttemptState::NotCreated => false,
        };
        attempts.len() < MAX_RIVALS
            && !attempts
                .iter()
                .any(|attempt| attempt.id != self.call.id && may_have_created(attempt))
    }
}

#[cfg(test)]
mod tests;
