//! The stages of a post that signs somebody up, the same for every route that takes one: read,
//! check every rule, admit, create. Cheap before costly; what a stage refuses never meets the next.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use tokio::time::Instant;

use super::auth0_compat::Auth0Compat;
use super::body::Form;
use super::negotiation::parameter;
use super::origins::Origins;
use super::problem::{Problem, ProblemCode};
use super::representation::Representation;
use super::request_id::RequestId;
use super::{auth0_compat, idempotency_key};
use crate::abuse::{
    Challenges, ClientAddress, ClientSignals, ExistencePolicy, Limits, RateLimitReport,
    SignupSwitch,
};
use crate::auth0::User;
use crate::domain::{EmailAddress, Field, FieldError, IdempotencyKey, NewUser, Rules, Violation};
use crate::form::{ControlField, FieldValue, Submission};
use crate::page::FormValues;
use crate::signup::{self, Admission, AdmissionCost, Outcome, Rejection, SignupResult, Signups};
use crate::telemetry::Metrics;
use crate::texts::Locale;

/// What the stages need of the app.
#[derive(Debug)]
pub struct SignupPipeline {
    /// Whether sign-ups are open.
    pub gate: SignupSwitch,
    /// Whose pages may post.
    pub origins: Origins,
    /// The rules of a form.
    pub rules: Rules,
    /// What a new attempt has to prove.
    pub challenges: Arc<Challenges>,
    /// How often somebody may attempt.
    pub limits: Arc<Limits>,
    /// What is asked of those who use Auth0's endpoint.
    pub auth0_compat: Auth0Compat,
    /// Whether callers are told that an e-mail address has an account.
    pub existence: ExistencePolicy,
    /// The use case.
    pub signups: Signups,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long the whole request may take.
    pub request_timeout: Duration,
}

impl SignupPipeline {
    /// Takes the request through all of them. What was typed is dropped with the body.
    ///
    /// # Errors
    /// What a stage refuses, and every outcome that is no success.
    pub(super) async fn run(
        &self,
        request: Request,
        id: RequestId,
        representation: Representation,
    ) -> Result<SignedUp, Problem> {
        let deadline = Instant::now() + self.request_timeout;
        self.origins.check(request.headers())?;
        self.gate.check().map_err(|text| Problem::new(ProblemCode::SignupsClosed).told(text))?;
        let client = client(&request);
        let tally = request.extensions().get::<RateLimitReport>().cloned().unwrap_or_default();
        let header = idempotency_key::header(request.headers());
        let ui_locales = parameter(request.uri(), "ui_locales");
        let form = Form::read(request, self.body_timeout).await?;
        let mut members = form.members().await?;
        if representation == Representation::Auth0 {
            self.auth0_compat.take(&mut members)?;
        }
        let submission = Submission::new(members);
        let filled = match representation {
            Representation::Json | Representation::Auth0 => None,
            Representation::Page => {
                Some(Arc::new(FormValues::from_submission(&submission, ui_locales)))
            }
        };
        let given = match representation {
            Representation::Auth0 => auth0_compat::given(&submission),
            Representation::Json | Representation::Page => Vec::new(),
        };
        let locale = locale(&submission);
        let checked = self.check(&submission, header);
        let evidence = self.challenges.client_signals(&submission);
        drop(submission);
        drop(form);
        let signed_up = match checked {
            Ok((user, key)) => {
                let asked =
                    representation != Representation::Auth0 || !self.auth0_compat.without_challenge;
                let evidence = asked.then_some(evidence);
                let admission = self.admission(evidence, client, user.email.clone(), tally.clone());
                let request_id = id.to_string();
                let alike = representation == Representation::Auth0 && self.existence.is_uniform();
                let synthetic_user = alike.then(|| auth0_compat::synthetic_user(&user));
                let request = signup::Request { user, key, request_id, admission };
                self.create(request, client, deadline, &tally, synthetic_user).await
            }
            Err(problem) => Err(problem),
        };
        match signed_up {
            Ok(signed_up) => Ok(SignedUp { filled, given, ..signed_up }),
            Err(problem) => Err(problem.filled(filled).in_language(locale)),
        }
    }

    /// Signs the person up, as far as the deadline lets this request see.
    async fn create(
        &self,
        request: signup::Request,
        client: ClientAddress,
        deadline: Instant,
        tally: &RateLimitReport,
        synthetic_user: Option<User>,
    ) -> Result<SignedUp, Problem> {
        let began = Instant::now();
        let done = self.signups.create(request, deadline).await;
        if self.existence.hides(&done.outcome) {
            self.existence.pad(&done, began).await;
            return Ok(SignedUp::without_words(&done, synthetic_user.map(Arc::new)));
        }
        self.challenges.record_outcome(&done, client.ip());
        if let Outcome::Rejected(refusal) = done.outcome {
            self.limits.record_shared_rejection(refusal, tally);
        }
        SignedUp::of(done)
    }

    /// What a new attempt has to go through, the limits last. Without evidence no
    /// challenge, and half the limits.
    fn admission(
        &self,
        evidence: Option<ClientSignals>,
        client: ClientAddress,
        email: EmailAddress,
        tally: RateLimitReport,
    ) -> Admission {
        let (challenges, limits) = (Arc::clone(&self.challenges), Arc::clone(&self.limits));
        Admission::new(async move {
            let Some(evidence) = evidence else {
                // Twice the price is half the limit.
                let mut charges = limits.acquire_attempt(client.ip(), &email, false, &tally)?;
                charges.extend(limits.acquire_attempt(client.ip(), &email, false, &tally)?);
                return Ok(AdmissionCost { charges, proof: None });
            };
            let use_proof = challenges.admit(evidence, client.ip()).await?;
            let charges =
                limits.acquire_attempt(client.ip(), &email, use_proof.is_some(), &tally)?;
            Ok(AdmissionCost { charges, proof: use_proof })
        })
    }

    /// Applies every rule, and tells all faults together.
    fn check(
        &self,
        submission: &Submission<'_>,
        header: Result<Option<IdempotencyKey>, Violation>,
    ) -> Result<(NewUser, Option<IdempotencyKey>), Problem> {
        let key = idempotency_key::of(header, submission);
        let checked = submission.validate(&self.rules);
        if self.rules.email.is_on() {
            self.count_email(checked.as_ref().err().map_or(&[], Vec::as_slice));
        }
        match (checked, key) {
            (Ok(user), Ok(key)) => Ok((user, key)),
            (Ok(_), Err(fault)) => Err(Problem::invalid_fields(vec![fault])),
            (Err(faults), Ok(_)) => Err(Problem::invalid_fields(faults)),
            (Err(mut faults), Err(fault)) => {
                faults.push(fault);
                Err(Problem::invalid_fields(faults))
            }
        }
    }

    /// Counts what the rules on e-mail addresses say, of these faults.
    fn count_email(&self, faults: &[FieldError]) {
        let fault = faults.iter().find(|fault| fault.pointer == "/email");
        self.metrics.email_rule(match fault.map(|fault| &fault.violation) {
            None => "allowed",
            Some(Violation::DomainNotAllowed) => "domain_not_allowed",
            Some(Violation::NotAllowed) => "not_allowed",
            // No address to be judged.
            Some(_) => return,
        });
    }
}

/// The language that a form asks for in its own field.
fn locale(form: &Submission<'_>) -> Option<Locale> {
    match form.control(ControlField::UiLocales) {
        FieldValue::Text(tags) => Locale::from_tags(tags),
        FieldValue::Absent | FieldValue::Invalid => None,
    }
}

/// The good end.
#[derive(Debug)]
pub(super) struct SignedUp {
    /// As the tenant answered; where new and known addresses are answered alike, what the form
    /// said, or nothing.
    pub(super) user: Option<Arc<User>>,
    /// What came of it, for the log and the metrics.
    pub(super) outcome: &'static str,
    /// Whether this is the answer of an earlier request.
    pub(super) replayed: bool,
    /// The form that a browser posted.
    pub(super) filled: Option<Arc<FormValues>>,
    /// The fields that were given, where that is told.
    pub(super) given: Vec<Field>,
}

impl SignedUp {
    /// What came of a sign-up, where callers are not told whether the user is a new one; `user`
    /// says nothing but what the form said.
    fn without_words(done: &SignupResult, user: Option<Arc<User>>) -> Self {
        let (outcome, replayed) = (done.outcome.code(), done.replayed);
        Self { user, outcome, replayed, filled: None, given: Vec::new() }
    }

    /// What came of a sign-up, as callers are told it.
    fn of(done: SignupResult) -> Result<Self, Problem> {
        let code = done.outcome.code();
        let SignupResult { outcome, replayed, cause, .. } = done;
        let problem = match outcome {
            Outcome::Created(user) => {
                let (user, given) = (Some(user), Vec::new());
                return Ok(Self { user, outcome: code, replayed, filled: None, given });
            }
            Outcome::PasswordRejected(rule) => {
                let error = FieldError::at("/password", Violation::Password(rule));
                Problem::invalid_fields(vec![error])
            }
            Outcome::Busy { retry_after } => {
                Problem::new(ProblemCode::UpstreamBusy).retry_after(retry_after)
            }
            Outcome::Rejected(refusal) => refused(refusal),
            Outcome::EmailTaken => Problem::new(ProblemCode::EmailTaken),
            Outcome::UsernameTaken => Problem::new(ProblemCode::UsernameTaken),
            Outcome::UpstreamRejected => Problem::new(ProblemCode::UpstreamRejected),
            Outcome::Internal => Problem::new(ProblemCode::Internal),
            Outcome::Unreachable { retry_after } => {
                let problem = Problem::new(ProblemCode::UpstreamUnavailable);
                retry_after.map_or(problem.clone(), |wait| problem.retry_after(wait))
            }
            Outcome::Unknown => Problem::new(ProblemCode::OutcomeUnknown),
            Outcome::LedgerUnavailable | Outcome::Abandoned => {
                Problem::new(ProblemCode::Unavailable)
            }
            Outcome::KeyReused => Problem::new(ProblemCode::IdempotencyKeyReused),
            Outcome::InProgress => Problem::new(ProblemCode::IdempotencyInProgress),
        };
        Err(problem.replayed(replayed).caused_by(cause))
    }
}

/// The address that a request counts for. A listener that does not say whom it serves has one client.
pub(super) fn client(request: &Request) -> ClientAddress {
    let known = request.extensions().get().copied();
    known.unwrap_or(ClientAddress::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

/// A refusal, as callers are told it.
pub(super) fn refused(refusal: Rejection) -> Problem {
    match refusal {
        Rejection::Limited { limit, retry_after } => Problem::new(ProblemCode::RateLimited)
            .retry_after(retry_after)
            .unless_proven(limit.yields_to_proof()),
        Rejection::ChallengeRequired => Problem::new(ProblemCode::ChallengeRequired),
        Rejection::ChallengeFailed | Rejection::ProofUsed => {
            Problem::new(ProblemCode::ChallengeFailed)
        }
        Rejection::ChallengeUnavailable => Problem::new(ProblemCode::ChallengeUnavailable),
    }
}
