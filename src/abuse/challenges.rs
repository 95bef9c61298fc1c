//! Challenges: decides whether an attempt needs a proof, and verifies the proof that it has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::captcha::{Captcha, CaptchaError};
use super::client_signals::ClientSignals;
use super::form_token::{FillTime, FormToken};
use super::keyed_limiter::KeyedLimiter;
use super::network::Network;
use super::pressure::Pressure;
use super::work::{Difficulty, ProofOfWork};
use crate::clock::Clock;
use crate::config::{ChallengeSettings, LimitSettings, OnUnavailable, Required};
use crate::context::Context;
use crate::form::Submission;
use crate::ledger::ProofUse;
use crate::limits::Rate;
use crate::signup::{Outcome, Rejection, SignupResult};
use crate::telemetry::{Metrics, chain};

/// Requires proofs and verifies them.
#[derive(Debug)]
pub struct Challenges {
    pub(super) settings: ChallengeSettings,
    form_tokens: FormToken,
    pub(super) work: ProofOfWork,
    pub(super) captcha: Option<Captcha>,
    /// Only where a proof is required under pressure.
    pressure: Option<Pressure>,
    /// The attempts that each network may make without a proof under pressure. `None`: no attempt.
    without_proof: Option<KeyedLimiter>,
    /// Limits the challenges issued to each network.
    pub(super) issued: KeyedLimiter,
    /// Networks that need no proof under pressure.
    exempt: Vec<IpNet>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

/// The reason why an attempt needs a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The field that a person leaves empty was filled in.
    Honeypot,
    /// The form was sent sooner than a person can fill it in.
    TooSoon,
    /// The form was issued too long ago.
    TooLate,
    /// The form's token was not issued by this deployment.
    ForgedToken,
    /// The form has no token, and a token is required.
    NoToken,
    /// Every attempt needs a proof.
    Always,
    /// The network, or the service, is under pressure.
    Pressure,
}

impl Reason {
    /// The name in the metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Honeypot => "honeypot",
            Self::TooSoon => "too_soon",
            Self::TooLate => "too_late",
            Self::ForgedToken => "forged_token",
            Self::NoToken => "no_token",
            Self::Always => "always",
            Self::Pressure => "pressure",
        }
    }
}

impl Challenges {
    /// Starts the proof of work and the captcha client. `limits` gives the number of networks to
    /// remember, and those that need no proof under pressure.
    ///
    /// # Errors
    /// If the client of the captcha service cannot be built.
    pub fn start(
        settings: ChallengeSettings,
        limits: &LimitSettings,
        context: &Context,
    ) -> Result<Self, reqwest::Error> {
        const HOUR: Duration = Duration::from_hours(1);
        const MINUTE: Duration = Duration::from_mins(1);
        let (without_proof, issued) =
            (settings.without_proof_per_hour, settings.work.per_minute.max(1));
        let Context { clock, digests, lifecycle, metrics } = context;
        let max_buckets = limits.max_buckets;
        let adaptive = settings.required == Required::Adaptive;
        Ok(Self {
            form_tokens: FormToken::new(digests, settings.fill_time.clone()),
            work: ProofOfWork::start(&settings.work, digests, lifecycle),
            captcha: settings.captcha.as_ref().map(Captcha::new).transpose()?,
            pressure: adaptive.then(|| {
                Pressure::new(settings.adaptive, max_buckets, metrics.limiter("pressure"))
            }),
            without_proof: (adaptive && without_proof > 0).then(|| {
                let rate = Rate { burst: without_proof, every: HOUR / without_proof };
                KeyedLimiter::new(rate, max_buckets, metrics.limiter("without_proof"))
            }),
            issued: KeyedLimiter::new(
                Rate { burst: issued, every: MINUTE / issued },
                max_buckets,
                metrics.limiter("challenges"),
            ),
            exempt: limits.exempt.clone(),
            settings,
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
        })
    }

    /// The settings.
    pub const fn settings(&self) -> &ChallengeSettings {
        &self.settings
    }

    /// The tokens of the built-in page's forms.
    pub const fn form_tokens(&self) -> &FormToken {
        &self.form_tokens
    }

    /// The name of the field that a person leaves empty.
    pub fn honeypot(&self) -> Option<&str> {
        self.settings.honeypot.as_deref()
    }

    /// Reads the parts of a form that show whether a person filled it in.
    pub fn client_signals(&self, form: &Submission<'_>) -> ClientSignals {
        let captcha = self.settings.captcha.as_ref().map(|captcha| captcha.provider);
        let tokens = self.settings.fill_time.is_some();
        ClientSignals::from_form(form, self.honeypot(), captcha, tokens)
    }

    /// Decides whether an attempt from this address may continue, and with which proof.
    ///
    /// # Errors
    /// If it needs a proof, or if its proof is not valid.
    pub async fn admit(
        &self,
        signals: ClientSignals,
        address: IpAddr,
    ) -> Result<Option<ProofUse>, Rejection> {
        let admitted = self.verify(signals, address).await;
        if let Some(pressure) = self.pressure_on(address) {
            pressure.record_attempt(address.into(), admitted.is_err(), Instant::now());
        }
        admitted
    }

    /// Records the outcome of an admitted attempt from this address.
    pub fn record_outcome(&self, result: &SignupResult, address: IpAddr) {
        if matches!(result.outcome, Outcome::Rejected(Rejection::ProofUsed)) {
            self.metrics.challenges().failed("used");
        }
        if result.replayed {
            return;
        }
        let Some(pressure) = self.pressure_on(address) else { return };
        match &result.outcome {
            Outcome::EmailTaken
            | Outcome::UsernameTaken
            | Outcome::Rejected(Rejection::Limited { .. } | Rejection::ProofUsed) => {
                pressure.record_unsuccessful(address.into(), Instant::now());
            }
            // Either counted by `admit`, or no sign of a robot.
            Outcome::Rejected(
                Rejection::ChallengeRequired
                | Rejection::ChallengeFailed
                | Rejection::ChallengeUnavailable,
            )
            | Outcome::Created(_)
            | Outcome::PasswordRejected(_)
            | Outcome::UsernameRejected
            | Outcome::Busy { .. }
            | Outcome::UpstreamRejected
            | Outcome::Internal
            | Outcome::Unreachable { .. }
            | Outcome::Unknown
            | Outcome::LedgerUnavailable
            | Outcome::Abandoned
            | Outcome::KeyReused
            | Outcome::InProgress => {}
        }
    }

    /// The difficulty of the proof that this address needs now; `None` if it needs none.
    pub(super) fn difficulty(&self, address: IpAddr) -> Option<Difficulty> {
        self.pressure_on(address)?.difficulty(address.into(), Instant::now())
    }

    /// The pressure that applies to this address; `None` if the address is exempt.
    fn pressure_on(&self, address: IpAddr) -> Option<&Pressure> {
        let address = address.to_canonical();
        let exempt = self.exempt.iter().any(|network| network.contains(&address));
        self.pressure.as_ref().filter(|_| !exempt)
    }

    async fn verify(
        &self,
        signals: ClientSignals,
        address: IpAddr,
    ) -> Result<Option<ProofUse>, Rejection> {
        let now = self.clock.now();
        let robot = self.robot(&signals, now);
        let reason = robot.or_else(|| self.reason(address));
        let Some(proof) = signals.proof else {
            let Some(reason) = reason else { return Ok(None) };
            return self.admit_without_proof(reason, address).map(|()| None);
        };
        let proof = match &self.captcha {
            None => self.work.verify(proof.expose_secret(), now).map_err(|error| {
                self.metrics.challenges().failed(error.name());
                Rejection::ChallengeFailed
            })?,
            Some(captcha) => {
                let verified = self.verify_captcha(captcha, &proof, reason, robot.is_some());
                match verified.await? {
                    Some(proof) => proof,
                    None => return Ok(None),
                }
            }
        };
        self.metrics.challenges().passed();
        Ok(Some(proof))
    }

    /// The reason to treat the client as a robot, if the form gives one.
    fn robot(&self, signals: &ClientSignals, now: Duration) -> Option<Reason> {
        if signals.honeypot_filled {
            return Some(Reason::Honeypot);
        }
        let Some(token) = &signals.form_token else {
            return self.settings.form_token_required.then_some(Reason::NoToken);
        };
        match self.form_tokens.check(token, now) {
            FillTime::InTime => None,
            FillTime::TooSoon => Some(Reason::TooSoon),
            FillTime::TooLate => Some(Reason::TooLate),
            FillTime::Forged => Some(Reason::ForgedToken),
        }
    }

    fn reason(&self, address: IpAddr) -> Option<Reason> {
        match self.settings.required {
            Required::Off => None,
            Required::Always => Some(Reason::Always),
            Required::Adaptive => self.difficulty(address).map(|_| Reason::Pressure),
        }
    }

    /// Decides on an attempt that needs a proof and has none. Under pressure each network may make
    /// a few, for people who cannot solve a challenge; an apparent robot may make none.
    fn admit_without_proof(&self, reason: Reason, address: IpAddr) -> Result<(), Rejection> {
        let limiter = self.without_proof.as_ref().filter(|_| reason == Reason::Pressure);
        if limiter.is_some_and(|limiter| limiter.try_acquire(Network::from(address).bits()).is_ok())
        {
            self.metrics.challenges().skipped();
            return Ok(());
        }
        self.metrics.challenges().required(reason.name());
        Err(Rejection::ChallengeRequired)
    }

    /// Verifies a token with the captcha service. Returns `None` if the attempt continues without a
    /// proof.
    async fn verify_captcha(
        &self,
        captcha: &Captcha,
        token: &SecretString,
        reason: Option<Reason>,
        robot: bool,
    ) -> Result<Option<ProofUse>, Rejection> {
        let provider = captcha.settings().provider.name;
        let metrics = self.metrics.challenges();
        let allow = match captcha.verify(token.expose_secret()).await {
            Ok(proof) => return Ok(Some(proof)),
            Err(CaptchaError::Invalid(error)) => {
                metrics.failed(error.name());
                return Err(Rejection::ChallengeFailed);
            }
            Err(CaptchaError::Misconfigured(code)) => {
                tracing::error!(
                    provider,
                    code,
                    "the captcha service rejects challenge.captcha.secret: {code}"
                );
                metrics.unavailable("misconfigured");
                false
            }
            Err(CaptchaError::Busy) => {
                metrics.unavailable("busy");
                false
            }
            Err(CaptchaError::Unavailable(error)) => {
                metrics.unavailable("captcha");
                let allow = captcha.settings().on_unavailable == OnUnavailable::Allow && !robot;
                let on_unavailable = if allow { "allow" } else { "reject" };
                tracing::warn!(
                    provider,
                    on_unavailable,
                    error = chain(&error),
                    "the captcha service is unavailable"
                );
                allow
            }
        };
        match reason {
            // No proof was required.
            None => Ok(None),
            Some(_) if allow => {
                metrics.fail_open();
                Ok(None)
            }
            Some(_) => Err(Rejection::ChallengeUnavailable),
        }
    }
}
