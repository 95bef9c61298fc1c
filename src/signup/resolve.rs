//! Resolution of an ambiguous create call, and of a conflict, within one request.
//!
//! A call whose response did not arrive is resolved by looking up the id that it pinned. Unless
//! that finds the user, the same call is sent again, once: with the same id it cannot create a
//! second one. A conflict is looked up too: the user that the call met may be the one that an
//! earlier call of the same sign-up created. An outcome that is still open is left to the
//! [reconciler](super::reconciler), which has no password and can only look up.

use tokio::time::Instant;

use super::address_lookup::AddressLookup;
use super::call::AttemptRunner;
use super::outcome::{Outcome, SignupResult};
use crate::auth0::{
    CallError, CreateUserError, ErrorCode, LookupError, Misconfiguration, Priority, TransportError,
    User,
};
use crate::domain::{Field, PasswordRule};

impl AttemptRunner<'_> {
    /// Resolves an attempt whose call the tenant may have acted on. Returns `unknown` when that is
    /// not conclusive.
    pub(super) async fn resolve(&self, unknown: SignupResult) -> SignupResult {
        if self.service.keeps_user_ids(&self.request.ledger_wait).await {
            self.resolve_by_id(unknown).await
        } else {
            self.resolve_by_address(unknown, Priority::Lookup).await
        }
    }

    /// Resolves an attempt at a connection that keeps pinned ids: looks the user up, then repeats
    /// the call. The repeat alone is enough where lookups fail.
    async fn resolve_by_id(&self, unknown: SignupResult) -> SignupResult {
        let is_absent = match self.look_up_id(Priority::Lookup).await {
            Ok(Some(user)) => return self.confirm(user, unknown, Priority::Lookup).await,
            Ok(None) => true,
            Err(_) => false,
        };
        let mut result = self.create(None, Priority::Repeat).await;
        // The user that the second call met may be the one that the first call created.
        if matches!(result.outcome, Outcome::EmailTaken | Outcome::UsernameTaken) {
            result = self.check_conflict(result).await;
        }
        // An earlier request may have sent other fields, and its call may still be acted on.
        let was_same_call = !self.is_resumed || (is_absent && self.absence_is_proof);
        match &result.outcome {
            Outcome::Created(_) | Outcome::EmailTaken => result,
            // The same call gets the same rejection: the first one created nothing either. A username may be taken by
            // that call, which a lookup has just ruled out.
            Outcome::PasswordRejected(PasswordRule::ContainsUserInfo { .. })
            | Outcome::UsernameRejected
            | Outcome::UsernameTaken
                if !was_same_call =>
            {
                unknown
            }
            Outcome::PasswordRejected(_) | Outcome::UsernameRejected | Outcome::UsernameTaken => {
                result
            }
            _ => unknown,
        }
    }

    /// The result of an attempt whose pinned id a user has. Without a client's key, another form
    /// may have pinned the same id.
    async fn confirm(&self, user: User, unknown: SignupResult, priority: Priority) -> SignupResult {
        if self.request.has_client_key() {
            return user.into();
        }
        let lookup = self.look_up_address(priority).await.ok();
        lookup.and_then(AddressLookup::result).unwrap_or(unknown)
    }

    /// Resolves an attempt at a connection that does not keep pinned ids, or may not. A repeated
    /// call could create a second user there, so it needs proof that the first created none: it has
    /// ended, and nobody has the address.
    pub(super) async fn resolve_by_address(
        &self,
        unknown: SignupResult,
        priority: Priority,
    ) -> SignupResult {
        let mut is_absent = false;
        if !self.service.pin_support.is_ignored() {
            match self.look_up_id(priority).await {
                Ok(Some(user)) => {
                    self.service.learn_pin_support(true);
                    return self.confirm(user, unknown, priority).await;
                }
                Ok(None) => is_absent = true,
                Err(_) => {}
            }
        }
        let Ok(lookup) = self.look_up_address(priority).await else { return unknown };
        let may_repeat = self.absence_is_proof || (is_absent && !self.may_still_run());
        if !matches!(lookup, AddressLookup::NoUser) || !may_repeat {
            return lookup.result().unwrap_or(unknown);
        }
        let repeated = self.create(None, Priority::Repeat).await;
        match repeated.outcome {
            Outcome::Created(_) => repeated,
            // Another call created a user since the lookup, or only a custom database knows the user.
            Outcome::EmailTaken | Outcome::UsernameTaken => self.check_conflict(repeated).await,
            _ if self.absence_is_proof => repeated,
            Outcome::PasswordRejected(_) | Outcome::UsernameRejected if is_absent => repeated,
            _ => unknown,
        }
    }

    /// Decides whose user a create call met: this sign-up's own, or another, which is `taken`.
    pub(super) async fn check_conflict(&self, taken: SignupResult) -> SignupResult {
        let Self { service, request, .. } = self;
        // What is remembered says nothing about a call that the tenant may have acted on since.
        if !self.may_have_acted()
            && service.taken_addresses.contains(&request.email.current, Instant::now())
        {
            return taken;
        }
        self.meet_user();
        let is_about_email = matches!(taken.outcome, Outcome::EmailTaken);
        match self.look_up_address(Priority::Check).await {
            Ok(AddressLookup::Own(user)) => user.into(),
            // The call met what a call without a response has left, whose user is not there yet: a custom
            // database stores the address before Auth0 does.
            Ok(AddressLookup::NoUser) if self.may_have_acted() && !self.absence_is_proof => {
                SignupResult::new(Outcome::Unknown)
            }
            Ok(AddressLookup::NoUser) if is_about_email => self.conflict_without_user(taken),
            Ok(AddressLookup::Unclear) => SignupResult::new(Outcome::Unknown),
            // The user may be the one that a call without a response created.
            Err(error @ LookupError::Forbidden) if self.may_have_acted() => {
                SignupResult::because(Outcome::Unknown, error)
            }
            Ok(AddressLookup::Taken | AddressLookup::NoUser) | Err(LookupError::Forbidden) => taken,
            // No call of this attempt created the user. An unknown attempt could be repeated without paying,
            // and its calls go before those of new sign-ups.
            Err(LookupError::Failed(CallError::RateLimited { retry_after, api }))
                if !self.may_have_acted() =>
            {
                let error = CallError::RateLimited { retry_after, api };
                SignupResult::because(Outcome::Busy { retry_after }, error)
            }
            Err(error) => SignupResult::because(Outcome::Unknown, error),
        }
    }

    /// The result of a conflict although no user has the address: it is about another identifier that
    /// was sent. Without one, a custom database knows the address, and has not moved its user to Auth0.
    fn conflict_without_user(&self, taken: SignupResult) -> SignupResult {
        let is_sent = |field| self.request.user.attributes.get(field).is_some();
        match (is_sent(Field::Username), is_sent(Field::PhoneNumber)) {
            (false, false) => taken,
            (true, false) => SignupResult::new(Outcome::UsernameTaken),
            (_, true) => {
                let code = ErrorCode::new(Some("auth0_idp_error"));
                CreateUserError::from(Misconfiguration::Unknown { status: 409, code }).into()
            }
        }
    }

    /// Looks up the user with the pinned id. A user with another address is not the attempt's, so
    /// such a response is not usable.
    async fn look_up_id(&self, priority: Priority) -> Result<Option<User>, LookupError> {
        let Self { service, request, call, .. } = self;
        let found = service.auth0.user(&call.user_id.to_user_id(), priority).await?;
        let email = request.user.email.as_ref();
        match found.map(|found| found.user) {
            Some(user) if user.email.is_none() => Ok(Some(User::known(user.user_id, email))),
            Some(user) if user.has_other_email(email) => {
                Err(CallError::from(TransportError::Unreadable(200)).into())
            }
            found => Ok(found),
        }
    }
}
