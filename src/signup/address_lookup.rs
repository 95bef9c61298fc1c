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
mod tests {
    use super::*;
    use crate::ledger::{Basis, Binding, FinishAttempt, Resolution, StoredKey, Urgency};
    use crate::signup::call::PreparedCall;
    use crate::signup::identity::KeyedRequest;
    use crate::signup::test_service::{TestService, attempt};

    const CLIENT_KEY: Option<&str> = Some("0123456789abcdef");

    const OTHER: Binding = Binding::from_bytes([0xff, 0xff]);

    fn binding(request: &KeyedRequest) -> Binding {
        let digest = Binding::from_digest(&request.binding.current);
        assert_ne!(digest, OTHER);
        digest
    }

    fn user(call: &PreparedCall, created_at: TenantTime) -> FoundUser {
        let user = User::known(call.user_id.to_user_id(), "ada@example.com");
        FoundUser { user, created_at: Some(created_at) }
    }

    fn tenant(seconds: u64) -> TenantTime {
        TenantTime::from_epoch(Duration::from_secs(1_790_000_000 + seconds))
    }

    #[tokio::test]
    async fn the_claim_of_another_attempt_follows_from_its_state_and_key() {
        use AttemptState::{Created, Exists, NotCreated, Open, Unknown};
        use RivalClaim::{Bound, Contested, Other, Unclaimed};

        /// The key of the other attempt.
        #[derive(Debug, Clone, Copy)]
        enum RivalKey {
            Own,
            OfAnotherForm,
            Expired,
        }
        use RivalKey::{Expired, OfAnotherForm, Own};

        let service = TestService::start().await;
        let now = service.inner().ledger.now().await.unwrap();
        for (client_key, rival_key, states, expected) in [
            (None, Own, &[Open, Unknown, Created][..], Bound),
            (CLIENT_KEY, Own, &[Open, Unknown, Created], Bound),
            (None, OfAnotherForm, &[Created], Other),
            (None, OfAnotherForm, &[Open, Unknown], Contested),
            // The same key with another password.
            (CLIENT_KEY, OfAnotherForm, &[Open, Unknown, Created], Other),
            (None, Expired, &[Created], Other),
            (None, Expired, &[Open, Unknown], Contested),
            (CLIENT_KEY, Expired, &[Created], Unclaimed),
            (CLIENT_KEY, Expired, &[Open, Unknown], Contested),
            (None, Own, &[NotCreated, Exists], Unclaimed),
            (CLIENT_KEY, OfAnotherForm, &[NotCreated, Exists], Unclaimed),
        ] {
            let request = service.request(client_key);
            let call = PreparedCall::new(service.inner(), &request, now);
            let runner = AttemptRunner::new(service.inner(), &request, &call);
            let bound_to = |binding| Some(StoredKey { binding, expires_at: now });
            for state in states {
                let rival = Attempt {
                    key: match rival_key {
                        Own => bound_to(binding(&request)),
                        OfAnotherForm => bound_to(OTHER),
                        Expired => None,
                    },
                    ..attempt(*state, now)
                };
                let claim = runner.claim_of(&rival);
                assert_eq!(claim, expected, "{client_key:?} {rival_key:?} {state:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_user_with_too_many_rivals_is_unclear() {
        let service = TestService::start().await;
        let now = service.inner().ledger.now().await.unwrap();
        let request = service.request(CLIENT_KEY);
        let call = PreparedCall::new(service.inner(), &request, now);
        let runner = AttemptRunner::new(service.inner(), &request, &call);
        let found = user(&call, tenant(0));
        let record = async || {
            let rival = PreparedCall::new(service.inner(), &request, now);
            let rival = PreparedCall { user_id: call.user_id.clone(), ..rival };
            service.record(&request, &rival, OTHER).await;
        };
        let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
        assert!(matches!(lookup, AddressLookup::Own(_)), "{lookup:?}");
        for _ in 1..MAX_RIVALS {
            record().await;
        }
        let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
        assert!(matches!(lookup, AddressLookup::Taken), "{lookup:?}");
        record().await;
        let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
        assert!(matches!(lookup, AddressLookup::Unclear), "{lookup:?}");
    }

    #[tokio::test]
    async fn the_user_of_another_tab_is_at_most_ten_minutes_old() {
        let service = TestService::start().await;
        let now = service.inner().ledger.now().await.unwrap();
        let request = service.request(CLIENT_KEY);
        let call = PreparedCall::new(service.inner(), &request, now);
        let runner = AttemptRunner::new(service.inner(), &request, &call);
        service.record(&request, &call, binding(&request)).await;
        for (age, is_own) in [(0, true), (600, true), (601, false)] {
            let users = vec![user(&call, tenant(0))];
            let found = UsersByEmail { users, responded_at: Some(tenant(age)) };
            assert_eq!(runner.of_another_tab(&found).await.unwrap().is_some(), is_own, "{age} s");
        }
    }

    #[tokio::test]
    async fn a_recent_user_is_unclear_while_the_ledger_cannot_be_read() {
        let service = TestService::start().await;
        let inner = service.inner();
        inner.pin_support.learn(true);
        let now = inner.ledger.now().await.unwrap();
        let mut request = service.request(CLIENT_KEY);
        request.is_own_form = true;
        let call = PreparedCall::new(inner, &request, now);
        let runner = AttemptRunner::new(inner, &request, &call);
        inner.ledger.close().await;
        for (age, is_recent) in [(600, true), (601, false)] {
            let mut recent = user(&call, tenant(0));
            recent.user.user_id = UserId::from_auth0("auth0|of-another-form");
            let found = UsersByEmail { users: vec![recent], responded_at: Some(tenant(age)) };
            let lookup = runner.judge(found).await;
            assert_eq!(matches!(lookup, AddressLookup::Unclear), is_recent, "{age} {lookup:?}");
        }
    }

    #[tokio::test]
    async fn an_unknown_attempt_claims_users_until_its_call_has_certainly_ended() {
        let service = TestService::start().await;
        let inner = service.inner();
        let request = service.request(CLIENT_KEY);
        let now = inner.ledger.now().await.unwrap();
        let rival = PreparedCall::new(inner, &request, now);
        service.record(&request, &rival, OTHER).await;
        let finish = FinishAttempt {
            id: rival.id,
            resolution: Resolution::Unknown,
            outcome_code: Outcome::Unknown.code(),
            auth0_request_id: None,
            basis: Basis::Observed,
            urgency: Urgency::Awaited,
        };
        assert!(inner.ledger.finish(finish).await.unwrap());
        let rival = inner.ledger.get(rival.id).await.unwrap().unwrap();
        let theirs = UserId::from_auth0("auth0|theirs");
        let over = rival.connection_ended_at.unwrap() + inner.timeouts.absence_grace;
        for (started_at, is_unclaimed) in [(now, false), (over, true)] {
            let call = PreparedCall::new(inner, &request, started_at);
            let runner = AttemptRunner::new(inner, &request, &call);
            assert_eq!(runner.is_unclaimed(&theirs).await, is_unclaimed);
        }
    }
}
