//! The stages of a post that signs a user up, for `/signup` and for Auth0's endpoint: receive,
//! parse, admit, create. Cheap stages come first; a post that one rejects never reaches the next.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use tokio::time::Instant;

use super::body::Form;
use super::extensions::client;
use super::idempotency_key;
use super::origins::Origins;
use super::problem::{Problem, ProblemCode};
use super::request_id::RequestId;
use super::server::{FormUnderWay, RequestConnection};
use super::signed_up::SignedUp;
use crate::abuse::{
    AcquiredPermits, Challenges, ClientAddress, ClientSignals, ExistencePolicy, Limits,
    RateLimitReport, SignupSwitch,
};
use crate::domain::rules::NameOrder;
use crate::domain::{EmailAddress, FieldError, IdempotencyKey, NewUser, Rules, Violation};
use crate::form::{ControlField, FieldValue, MAX_ERRORS, Submission};
use crate::limits::AttemptCost;
use crate::signup::{self, Admission, AdmissionCost, Admitted, Outcome, ResultRecorder, Signups};
use crate::telemetry::Metrics;
use crate::texts::Locale;

/// The stages, and the parts of the app that they use.
#[derive(Debug)]
pub struct SignupPipeline {
    /// The switch that closes sign-ups.
    pub switch: SignupSwitch,
    /// The origins whose pages may post.
    pub origins: Origins,
    /// The rules of a form.
    pub rules: Rules,
    /// The challenges of new attempts.
    pub challenges: Arc<Challenges>,
    /// The rate limits of attempts.
    pub limits: Arc<Limits>,
    /// The policy for responses that would reveal an existing account.
    pub existence: ExistencePolicy,
    /// The use case that creates users.
    pub signups: Signups,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The longest time for a body to arrive.
    pub body_timeout: Duration,
    /// The longest time for the whole request.
    pub request_timeout: Duration,
}

/// The parts of a request's head that later stages need.
#[derive(Debug)]
pub(super) struct PostHead {
    id: RequestId,
    client: ClientAddress,
    report: RateLimitReport,
    key: Result<Option<IdempotencyKey>, Violation>,
    deadline: Instant,
    /// Counts the form until the response.
    _under_way: FormUnderWay,
}

/// A form that meets every rule.
#[derive(Debug)]
pub(super) struct ParsedForm {
    head: PostHead,
    /// The new user.
    pub(super) user: NewUser,
    key: Option<IdempotencyKey>,
    signals: ClientSignals,
    locale: Option<Locale>,
}

impl SignupPipeline {
    /// Checks the head of a request, and reads its body.
    ///
    /// # Errors
    /// When the origin may not post, sign-ups are closed, or the body cannot be read.
    pub(super) async fn receive(
        &self,
        request: Request,
        id: RequestId,
        connection: RequestConnection,
    ) -> Result<(PostHead, Form), Problem> {
        let deadline = Instant::now() + self.request_timeout;
        self.origins.check_present(&request)?;
        if let Err(text) = self.switch.check() {
            self.metrics.closed_rejected();
            return Err(Problem { detail: text, ..Problem::new(ProblemCode::SignupsClosed) });
        }
        let client = client(&request);
        let report = request.extensions().get::<RateLimitReport>().cloned().unwrap_or_default();
        let key = idempotency_key::from_header(request.headers());
        let (form, under_way) = Form::read(request, self.body_timeout, connection).await?;
        Ok((PostHead { id, client, report, key, deadline, _under_way: under_way }, form))
    }

    /// Applies every rule. `negotiated` is the language of the request, for a form that names none.
    ///
    /// # Errors
    /// All errors of the form together.
    pub(super) fn parse(
        &self,
        head: PostHead,
        submission: &Submission<'_>,
        negotiated: Locale,
    ) -> Result<ParsedForm, Problem> {
        let locale = locale(submission);
        let order = locale.unwrap_or(negotiated).name_order();
        let checked = self.check(submission, head.key.clone(), order);
        let (user, key) = checked.map_err(|problem| Problem { locale, ..problem })?;
        let signals = self.challenges.client_signals(submission);
        Ok(ParsedForm { head, user, key, signals, locale })
    }

    /// Admits the attempt and creates the user. An attempt that costs two permits has no challenge.
    ///
    /// # Errors
    /// The rejection of a stage, or an outcome without a user.
    pub(super) async fn run(
        &self,
        form: ParsedForm,
        cost: AttemptCost,
    ) -> Result<SignedUp, Problem> {
        let ParsedForm { head, user, key, signals, locale } = form;
        let is_own_form = self.challenges.is_own_form(&signals);
        let admission = self.admission(signals, head.client, user.email.clone(), cost, head.report);
        let request_id = head.id.to_string();
        let request = signup::Request { user, key, request_id, is_own_form };
        let created = self.create(request, admission, head.deadline).await;
        created.map_err(|problem| Problem { locale, ..problem })
    }

    /// Creates the user, or stops waiting at the deadline.
    ///
    /// Every outcome takes the same way, so that with `existence = "uniform"` the time of no
    /// response shows which one it was.
    async fn create(
        &self,
        request: signup::Request,
        admission: Admission,
        deadline: Instant,
    ) -> Result<SignedUp, Problem> {
        let started = Instant::now();
        let result = self.signups.create(request, admission, deadline).await;
        let hidden = self.existence.hides(&result.outcome);
        let late = self.existence.pad(started, deadline).await;
        if hidden {
            if late {
                self.metrics.floor_exceeded();
            }
            return Ok(SignedUp::hidden(&result));
        }
        SignedUp::from_result(result)
    }

    /// The checks that a new attempt has to pass: the challenge, then the limits.
    fn admission(
        &self,
        signals: ClientSignals,
        client: ClientAddress,
        email: EmailAddress,
        cost: AttemptCost,
        report: RateLimitReport,
    ) -> Admission {
        let (challenges, limits) = (Arc::clone(&self.challenges), Arc::clone(&self.limits));
        let existence = self.existence;
        Admission::new(async move {
            let address = client.ip();
            let is_limited = || limits.needs_proof(address, &email);
            let proof = match cost {
                AttemptCost::One => challenges.admit(signals, address, is_limited).await?,
                AttemptCost::Two => None,
            };
            let AcquiredPermits { charges, keys } =
                limits.acquire_attempt(address, &email, proof.is_some(), cost, &report)?;
            let counts = cost == AttemptCost::One && challenges.count_attempt(address);
            let recorder = ResultRecorder::new(move |result| {
                challenges.count_used_proof(result);
                if counts {
                    challenges.record_outcome(result, existence.hides(&result.outcome));
                }
                if let Outcome::Rejected(rejection) = result.outcome {
                    limits.record_shared_rejection(rejection, &keys, &report);
                }
            });
            Ok(Admitted { cost: AdmissionCost { charges, proof }, recorder })
        })
    }

    /// Applies every rule, and collects all errors.
    fn check(
        &self,
        submission: &Submission<'_>,
        header: Result<Option<IdempotencyKey>, Violation>,
        order: NameOrder,
    ) -> Result<(NewUser, Option<IdempotencyKey>), Problem> {
        let key = idempotency_key::from_header_or_field(header, submission);
        let checked = submission.validate(&self.rules, order);
        if self.rules.email.is_on() {
            self.count_email(checked.as_ref().err().map_or(&[], Vec::as_slice));
        }
        match (checked, key) {
            (Ok(user), Ok(key)) => Ok((user, key)),
            (checked, key) => {
                let mut errors = checked.err().unwrap_or_default();
                if let Err(error) = key {
                    errors.truncate(MAX_ERRORS - 1);
                    errors.push(error);
                }
                Err(Problem::invalid_fields(errors))
            }
        }
    }

    /// Counts the result of the rules on e-mail addresses.
    fn count_email(&self, errors: &[FieldError]) {
        let error = errors.iter().find(|error| error.pointer == "/email");
        self.metrics.email_rule(match error.map(|error| &error.violation) {
            None => "allowed",
            Some(Violation::DomainNotAllowed) => "domain_not_allowed",
            Some(Violation::NotAllowed) => "not_allowed",
            // Not an address, so the rules did not apply.
            Some(_) => return,
        });
    }
}

/// The language that a form asks for in its field.
fn locale(form: &Submission<'_>) -> Option<Locale> {
    match form.control(ControlField::UiLocales) {
        FieldValue::Text(tags) => Locale::from_tags(tags),
        FieldValue::Absent | FieldValue::Invalid => None,
    }
}
