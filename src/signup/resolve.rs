//! Resolution of an ambiguous create call within one request.
//!
//! A call whose response did not arrive is resolved by looking up the id that it pinned. Unless
//! that finds the user, the same call is sent again, once: with the same id it cannot create a
//! second one. An outcome that is still open is left to the [reconciler](super::reconciler), which
//! has no password and can only look up.

use super::call::AttemptRunner;
use super::outcome::{Outcome, SignupResult};
use crate::auth0::{CreateUserError, LookupError, Priority, User};
use crate::domain::full_user_id;
use crate::ledger::{Attempt, AttemptState, Find};

/// The most attempts with one address that are compared with a user found by it.
const MAX_RIVALS: usize = 100;

/// A lookup by e-mail address that failed, or whose users do not decide the outcome.
#[derive(Debug)]
pub(super) struct Inconclusive;

impl AttemptRunner<'_> {
    /// Resolves an attempt whose call the tenant may have acted on: looks the user up, then repeats
    /// the call. Returns `unknown` when neither is conclusive.
    pub(super) async fn resolve(&self, unknown: SignupResult) -> SignupResult {
        let pin_support = &self.service.pin_support;
        if pin_support.is_ignored() {
            return self.resolve_by_email(unknown).await;
        }
        let lookup = self.look_up().await;
        if let Ok(Some(user)) = lookup {
            return user.into();
        }
        let is_absent = matches!(lookup, Ok(None));
        if is_absent
            && !pin_support.is_kept()
            && let Ok(Some(result)) = self.look_up_by_email().await
        {
            // Nothing has shown yet that ids are kept, so the user may have another one.
            return result;
        }
        match self.create(None).await {
            Ok(created) => created.into(),
            // The user that the second call met may be the one that the first call created.
            Err(taken @ (CreateUserError::EmailTaken | CreateUserError::UsernameTaken)) => {
                match self.look_up().await {
                    Ok(Some(user)) => user.into(),
                    Ok(None) if pin_support.is_kept() => taken.into(),
                    Ok(None) => self.look_up_by_email_or(unknown).await,
                    Err(_) => unknown,
                }
            }
            // The same call gets the same rejection: the first one, whose user is absent, created
            // nothing either.
            Err(
                rejected @ (CreateUserError::PasswordRejected(_)
                | CreateUserError::UsernameRejected),
            ) if is_absent => rejected.into(),
            Err(_) => unknown,
        }
    }

    /// Resolves an attempt at a connection that keeps no pinned ids. A repeated call could create a
    /// second user there, so only a lookup by e-mail address is conclusive.
    async fn resolve_by_email(&self, unknown: SignupResult) -> SignupResult {
        match self.look_up_by_email().await {
            Ok(Some(result)) => result,
            // There is no user, and no call that could still create one.
            Ok(None) if self.earlier_calls_ended => match self.create(None).await {
                Ok(created) => created.into(),
                // Another call created a user since the lookup.
                Err(CreateUserError::EmailTaken) => self.look_up_by_email_or(unknown).await,
                Err(error) => error.into(),
            },
            Ok(None) | Err(Inconclusive) => unknown,
        }
    }

    /// Looks up the user with the pinned id.
    async fn look_up(&self) -> Result<Option<User>, LookupError> {
        self.service.auth0.user(self.call.user_id.as_str(), Priority::Lookup).await
    }

    /// Returns the result of a lookup by e-mail address, or `unknown` when it is not conclusive.
    async fn look_up_by_email_or(&self, unknown: SignupResult) -> SignupResult {
        match self.look_up_by_email().await {
            Ok(Some(result)) => result,
            Ok(None) | Err(Inconclusive) => unknown,
        }
    }

    /// Looks for a user with this address that was created after the attempt started, by the
    /// tenant's clock, and that no other attempt can have created. `None` when there is no user
    /// with the address.
    pub(super) async fn look_up_by_email(&self) -> Result<Option<SignupResult>, Inconclusive> {
        let Self { service, request, call, .. } = self;
        let found =
            service.auth0.users_by_email(request.user.email.as_ref(), Priority::Lookup).await;
        let found = found.map_err(|_| Inconclusive)?;
        if found.users.is_empty() {
            return Ok(None);
        }
        // Without the tenant's own time there is nothing to compare with.
        let responded_at = found.responded_at.ok_or(Inconclusive)?;
        let elapsed = service.context.clock.now().saturating_sub(call.started_at);
        let started_at = responded_at.before(elapsed);
        let mut new = found.users.into_iter().filter(|found| found.created_at >= started_at);
        match (new.next(), new.next()) {
            (None, _) => Ok(Some(SignupResult::new(Outcome::EmailTaken))),
            (Some(only), None) if self.is_unclaimed(&only.user.user_id).await => {
                Ok(Some(only.user.into()))
            }
            (Some(_), _) => Err(Inconclusive),
        }
    }

    /// Returns whether no other attempt with this address created this user, or may have.
    async fn is_unclaimed(&self, user_id: &str) -> bool {
        let find = Find::Email(self.request.email);
        let Ok(attempts) = self.service.ledger.find(find, MAX_RIVALS).await else {
            return false;
        };
        let may_have_created = |attempt: &Attempt| match attempt.state {
            AttemptState::Open | AttemptState::Unknown => true,
            AttemptState::Created => {
                let created = attempt.auth0_user_id.as_deref();
                full_user_id(created.unwrap_or(attempt.user_id.as_str())) == user_id
            }
            AttemptState::Exists | AttemptState::NotCreated => false,
        };
        !attempts.iter().any(|attempt| attempt.id != self.call.id && may_have_created(attempt))
    }
}
