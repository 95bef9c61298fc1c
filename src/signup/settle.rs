//! From a create-user call to an outcome that is known, within one request.
//!
//! A call whose answer did not arrive is looked up by the id that it pinned. When the tenant knows
//! no such user the same call is sent again, once: with the same id it cannot make a second one.
//! What is still open then is left to the [settler](super::reconciler), which has no password and
//! only check_count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::outcome::{Done, Outcome};
use crate::auth0::{
    Acceptance, CallPermit, Client, Created, Error, LookupError, Priority, Transport, User,
};
use crate::clock::Clock;
use crate::domain::{NewUser, TermsVersion, full_user_id};
use crate::ledger::{
    Attempt, AttemptId, AttemptState, DigestPair, Find, Ledger, PinnedUserId, Resolution,
};

/// How often a call that surely was not sent, or was told to wait, is tried in all.
const TRIES: u32 = 3;

/// The wait before the second try; doubled before the third.
const PAUSE: Duration = Duration::from_millis(200);

/// The most attempts of one address that are compared with a user found by it.
const RIVALS: usize = 100;

/// Whether the connection keeps the id that a create call pins. A custom database may not; a look-up
/// by that id then finds nothing, whatever happened.
///
/// The last user that this process created with a pinned id tells. Ids are pinned also while they
/// are ignored, so that a connection that was mended is noticed.
#[derive(Debug)]
pub(super) struct Pin(AtomicU8);

impl Pin {
    const UNKNOWN: u8 = 0;
    const KEPT: u8 = 1;
    const IGNORED: u8 = 2;
    const OFF: u8 = 3;

    /// Nothing is known yet; `false`: ids are not pinned at all.
    pub(super) const fn new(pinning: bool) -> Self {
        Self(AtomicU8::new(if pinning { Self::UNKNOWN } else { Self::OFF }))
    }

    /// Learns from a user that was created with a pinned id.
    pub(super) fn learn(&self, kept: bool) {
        if !self.is_off() {
            self.0.store(if kept { Self::KEPT } else { Self::IGNORED }, Ordering::Relaxed);
        }
    }

    /// Presumes from an earlier process's user whether ids are kept, until this one knows better.
    pub(super) fn recall(&self, kept: bool) {
        let unknown = self.0.load(Ordering::Relaxed) == Self::UNKNOWN;
        if unknown {
            self.learn(kept);
        }
    }

    /// Whether a look-up by the pinned id can be trusted to find what was created.
    pub(super) fn is_kept(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::KEPT
    }

    /// Whether a look-up by id tells nothing: ids are known not to be kept, or not pinned.
    pub(super) fn is_ignored(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), Self::IGNORED | Self::OFF)
    }

    /// Whether ids are not pinned.
    fn is_off(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::OFF
    }
}

/// One attempt at the tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptRunner<'a> {
    pub(super) auth0: &'a Client,
    pub(super) ledger: &'a dyn Ledger,
    pub(super) clock: &'a dyn Clock,
    pub(super) id: AttemptId,
    /// The digests of the address.
    pub(super) email: &'a DigestPair,
    pub(super) pin: &'a Pin,
    pub(super) user: &'a NewUser,
    pub(super) user_id: &'a PinnedUserId,
    pub(super) request_id: &'a str,
    /// When the attempt began, since the Unix epoch.
    pub(super) started_at: Duration,
    /// The terms that came accepted.
    pub(super) terms: Option<&'a TermsVersion>,
    /// Whether a call of this attempt may have been acted on, as far as has come out.
    pub(super) in_doubt: &'a AtomicBool,
    /// Whether the earlier calls of this attempt, if there were any, surely have ended.
    pub(super) is_quiet: bool,
    /// No call that surely was not sent is tried again after it.
    pub(super) deadline: Instant,
}

/// A look by e-mail address did not tell.
#[derive(Debug)]
pub(super) struct Undecided;

/// What came of an attempt, for the caller and for the ledger.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) done: Done,
    pub(super) verdict: Settlement,
    pub(super) auth0_request_id: Option<String>,
}

/// [`Resolution`] without the times that only the caller of this module has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    Created { user_id: Option<String> },
    Exists,
    Unknown,
    NotCreated,
}

impl Settlement {
    /// For the ledger; `now` since the Unix epoch.
    pub(super) fn verdict(self, now: Duration) -> Resolution {
        match self {
            Self::Created { user_id } => Resolution::Created { user_id },
            Self::Exists => Resolution::Exists,
            Self::Unknown => Resolution::Unknown { connection_ended_at: now },
            Self::NotCreated => Resolution::NotCreated,
        }
    }
}

impl AttemptRunner<'_> {
    /// Sends the create call that was admitted, and settles it if its answer does not arrive.
    pub(super) async fn begin(self, pass: CallPermit) -> Settled {
        match self.create(Some(pass)).await {
            Err(Error::Ambiguous(cause)) => Box::pin(self.resume(Error::Ambiguous(cause))).await,
            Ok(created) => self.created(created),
            Err(error) => Settled::refused(error),
        }
    }

    /// Settles an attempt whose call may have been acted on: check_count it up, then repeats it.
    pub(super) async fn resume(self, why: Error) -> Settled {
        if self.pin.is_ignored() {
            // Repeating could make a second user; only a look by e-mail can tell.
            return match self.by_email().await {
                Ok(Some(settled)) => settled,
                // There is no user, and no call that could still make one.
                Ok(None) if self.is_quiet => match self.create(None).await {
                    Ok(created) => self.created(created),
                    // PreparedCall since that look, by whomever.
                    Err(Error::UserExists) => self.by_email_or(why).await,
                    Err(error) => Settled::refused(error),
                },
                Ok(None) | Err(Undecided) => unknown(why),
            };
        }
        let look = self.look().await;
        if let Ok(Some(user)) = look {
            return found(user);
        }
        if matches!(look, Ok(None))
            && !self.pin.is_kept()
            && let Ok(Some(settled)) = self.by_email().await
        {
            // Nothing has shown yet that ids are kept: the user may be there under another one.
            return settled;
        }
        match self.create(None).await {
            Ok(created) => self.created(created),
            // The first call may have made the very user that the second one met.
            Err(taken @ (Error::UserExists | Error::UsernameExists)) => match self.look().await {
                Ok(Some(user)) => found(user),
                Ok(None) if self.pin.is_kept() => Settled::refused(taken),
                Ok(None) => self.by_email_or(why).await,
                Err(_) => unknown(why),
            },
            // The same call is refused in the same way: the first one, which nobody finds, made
            // nothing either.
            Err(refusal @ Error::PasswordRefused(_)) if matches!(look, Ok(None)) => {
                Settled::refused(refusal)
            }
            Err(_) => unknown(why),
        }
    }

    /// What a look by address settles; else it is not known, for this reason.
    async fn by_email_or(&self, why: Error) -> Settled {
        match self.by_email().await {
            Ok(Some(settled)) => settled,
            Ok(None) | Err(Undecided) => unknown(why),
        }
    }

    /// Looks for a user of this address that was made after the attempt began, by the tenant's
    /// clock, and that no other attempt can have made; `None` when there is no user of the address.
    pub(super) async fn by_email(&self) -> Result<Option<Settled>, Undecided> {
        let found = self.auth0.users_by_email(self.user.email.as_ref()).await;
        let found = found.map_err(|_| Undecided)?;
        if found.users.is_empty() {
            return Ok(None);
        }
        // Without the tenant's own time nothing can be compared.
        let answered_at = found.answered_at.ok_or(Undecided)?;
        let since = answered_at.saturating_sub(self.clock.now().saturating_sub(self.started_at));
        let new: Vec<_> = found.users.iter().filter(|found| found.created_at >= since).collect();
        match new.as_slice() {
            [ours] if self.has_no_rival(&ours.user.user_id).await => {
                let user_id = bare(&ours.user.user_id);
                let user_id = (user_id != self.user_id.as_str()).then(|| user_id.to_owned());
                let done = Done::new(Outcome::Created(Arc::new(ours.user.clone())));
                Ok(Some(Settled::new(done, Settlement::Created { user_id })))
            }
            [] => {
                let done = Done::new(Outcome::EmailTaken);
                Ok(Some(Settled::new(done, Settlement::Exists)))
            }
            _ => Err(Undecided),
        }
    }

    /// Whether no other attempt of this address made this user, or may have.
    async fn has_no_rival(&self, user_id: &str) -> bool {
        let Ok(attempts) = self.ledger.find(Find::Email(*self.email), RIVALS).await else {
            return false;
        };
        let is_rival = |attempt: &Attempt| match attempt.state {
            AttemptState::Open | AttemptState::Unknown => true,
            AttemptState::Created => {
                let made = attempt.auth0_user_id.as_deref();
                full_user_id(made.unwrap_or(attempt.user_id.as_str())) == user_id
            }
            AttemptState::Exists | AttemptState::NotCreated => false,
        };
        !attempts.iter().any(|attempt| attempt.id != self.id && is_rival(attempt))
    }

    async fn look(&self) -> Result<Option<User>, LookupError> {
        self.auth0.user(self.user_id.as_str(), Priority::Lookup).await
    }

    /// The create call, tried again only when it surely was not acted on: it was not sent, or the
    /// tenant had no room for it.
    async fn create(&self, mut pass: Option<CallPermit>) -> Result<Created, Error> {
        let user_id = (!self.pin.is_off()).then(|| self.user_id.as_str());
        let terms = self.terms.map(|version| Acceptance { version, at: self.started_at });
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            // Whoever is not admitted is not to try again: the line is as long as it may be.
            let admitted = match pass.take() {
                Some(pass) => pass,
                None => self.auth0.admit().await?,
            };
            let before = self.in_doubt.swap(true, Ordering::Relaxed);
            let result =
                self.auth0.create_user(self.user, user_id, terms, self.request_id, admitted).await;
            if matches!(result, Err(Error::NotSent(_) | Error::RateLimited { .. })) {
                self.in_doubt.store(before, Ordering::Relaxed);
            }
            let wait = match &result {
                Err(Error::NotSent(_)) => pause,
                // Being admitted again takes as long as the tenant asked for.
                Err(Error::RateLimited { .. }) => Duration::ZERO,
                Ok(_) | Err(_) => return result,
            };
            if tries == TRIES || Instant::now() + wait >= self.deadline {
                return result;
            }
            sleep(wait).await;
            tries += 1;
            pause *= 2;
        }
    }

    fn created(&self, created: Created) -> Settled {
        let Created { user, auth0_request_id } = created;
        let answered = bare(&user.user_id);
        let kept = answered == self.user_id.as_str();
        self.pin.learn(kept);
        let user_id = (!kept).then(|| answered.to_owned());
        let done = Done::new(Outcome::Created(Arc::new(user)));
        let verdict = Settlement::Created { user_id };
        Settled { done, verdict, auth0_request_id }
    }
}

impl Settled {
    /// The attempt took too long; where it is in doubt, a call of it may still be acted on.
    pub(super) fn out_of_time(in_doubt: &AtomicBool) -> Self {
        let cause = Arc::new(Transport::OutOfTime);
        let in_doubt = in_doubt.load(Ordering::Relaxed);
        Self::refused(if in_doubt { Error::Ambiguous(cause) } else { Error::NotSent(cause) })
    }

    /// Nobody waits for the outcome any more, and nothing was sent.
    pub(super) const fn abandoned() -> Self {
        Self::new(Done::new(Outcome::Abandoned), Settlement::NotCreated)
    }

    /// An answer, or a refusal to send, that settles by itself.
    pub(super) fn refused(error: Error) -> Self {
        let verdict = match &error {
            Error::UserExists => Settlement::Exists,
            Error::Ambiguous(_) => Settlement::Unknown,
            Error::UsernameExists
            | Error::PasswordRefused(_)
            | Error::InvalidBody
            | Error::Misconfigured(_)
            | Error::RateLimited { .. }
            | Error::NotSent(_) => Settlement::NotCreated,
        };
        Self::new(error.into(), verdict)
    }

    const fn new(done: Done, verdict: Settlement) -> Self {
        Self { done, verdict, auth0_request_id: None }
    }
}

/// An id as Auth0 answers it, without `auth0|`; one of another provider as it is.
fn bare(user_id: &str) -> &str {
    user_id.strip_prefix("auth0|").unwrap_or(user_id)
}

fn found(user: User) -> Settled {
    let done = Done::new(Outcome::Created(Arc::new(user)));
    Settled::new(done, Settlement::Created { user_id: None })
}

fn unknown(why: Error) -> Settled {
    Settled::new(why.into(), Settlement::Unknown)
}
