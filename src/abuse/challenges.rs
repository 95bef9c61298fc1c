//! Challenges: whether an attempt has to bring a proof, and whether what it brought is one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::captcha::{Captcha, CaptchaFault};
use super::client_signals::ClientSignals;
use super::form_token::{FillTime, FormToken};
use super::keyed_limiter::KeyedLimiter;
use super::network::Network;
use super::pressure::Pressure;
use super::work::{Difficulty, ProofOfWork};
use crate::clock::Clock;
use crate::config::{ChallengeSettings, LimitSettings, OnUnavailable, Required};
use crate::form::Submission;
use crate::ledger::{Digests, ProofUse};
use crate::lifecycle::Lifecycle;
use crate::limits::Rate;
use crate::signup::{Outcome, Rejection, SignupResult};
use crate::telemetry::{Metrics, chain};

/// Asks for proofs and judges them.
#[derive(Debug)]
pub struct Challenges {
    pub(super) settings: ChallengeSettings,
    form_tokens: FormToken,
    pub(super) work: ProofOfWork,
    pub(super) captcha: Option<Captcha>,
    /// `None` unless it decides.
    pressure: Option<Pressure>,
    /// `None` where there is none.
    slow_lane: Option<KeyedLimiter>,
    /// Challenges given out.
    pub(super) issued: KeyedLimiter,
    /// Networks that are asked for nothing under pressure.
    exempt: Vec<IpNet>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

/// Why an attempt is asked for a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The field that people leave empty was filled in.
    Honeypot,
    /// The form came back sooner than a person can.
    TooSoon,
    /// The form is from long ago.
    TooLate,
    /// The form's token is not one of ours.
    ForgedToken,
    /// The form has no token, and has to.
    NoToken,
    /// Every attempt is.
    Always,
    /// Its network, or the service, is under pressure.
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
    /// Challenges by these settings; `limits` says how many networks are remembered, and which are
    /// never asked for anything under pressure.
    ///
    /// # Errors
    /// When the client of the captcha service cannot be built.
    pub fn start(
        settings: ChallengeSettings,
        limits: &LimitSettings,
        digests: &Digests,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, reqwest::Error> {
        const HOUR: Duration = Duration::from_hours(1);
        const MINUTE: Duration = Duration::from_mins(1);
        let (slow, issued) = (settings.without_proof_per_hour, settings.work.per_minute.max(1));
        let most = limits.max_buckets;
        let adaptive = settings.required == Required::Adaptive;
        Ok(Self {
            form_tokens: FormToken::new(digests, settings.fill_time.clone()),
            work: ProofOfWork::start(&settings.work, digests, lifecycle),
            captcha: settings.captcha.as_ref().map(Captcha::new).transpose()?,
            pressure: adaptive
                .then(|| Pressure::new(settings.adaptive, most, metrics.limiter("pressure"))),
            slow_lane: (adaptive && slow > 0).then(|| {
                let rate = Rate { burst: slow, every: HOUR / slow };
                KeyedLimiter::new(rate, most, metrics.limiter("slow_lane"))
            }),
            issued: KeyedLimiter::new(
                Rate { burst: issued, every: MINUTE / issued },
                most,
                metrics.limiter("challenges"),
            ),
            exempt: limits.exempt.clone(),
            settings,
            clock,
            metrics,
        })
    }

    /// What was asked for in the settings.
    pub const fn settings(&self) -> &ChallengeSettings {
        &self.settings
    }

    /// The tokens of the built-in page's forms.
    pub const fn form_tokens(&self) -> &FormToken {
        &self.form_tokens
    }

    /// The name of the field that people leave empty.
    pub fn honeypot(&self) -> Option<&str> {
        self.settings.honeypot.as_deref()
    }

    /// What a form says of who filled it in.
    pub fn evidence(&self, form: &Submission<'_>) -> ClientSignals {
        let captcha = self.settings.captcha.as_ref().map(|captcha| captcha.provider);
        let tokens = self.settings.fill_time.is_some();
        ClientSignals::of(form, self.honeypot(), captcha, tokens)
    }

    /// Decides whether an attempt from this address may go on, and with which proof.
    ///
    /// # Errors
    /// When it has to bring a proof, or another one.
    pub async fn admit(
        &self,
        evidence: ClientSignals,
        address: IpAddr,
    ) -> Result<Option<ProofUse>, Rejection> {
        let admitted = self.judge(evidence, address).await;
        if let Some(pressure) = self.pressure_of(address) {
            pressure.attempt(address.into(), admitted.is_err(), Instant::now());
        }
        admitted
    }

    /// Hears what came of an attempt from this address that was admitted.
    pub fn came_to(&self, done: &SignupResult, address: IpAddr) {
        if matches!(done.outcome, Outcome::Rejected(Rejection::ProofUsed)) {
            self.metrics.challenges().failed("used");
        }
        if done.replayed {
            return;
        }
        let Some(pressure) = self.pressure_of(address) else { return };
        match &done.outcome {
            Outcome::EmailTaken
            | Outcome::UsernameTaken
            | Outcome::Rejected(Rejection::Limited { .. } | Rejection::ProofUsed) => {
                pressure.refused(address.into(), Instant::now());
            }
            // Counted when it was refused, or nothing that tells a robot.
            Outcome::Rejected(
                Rejection::ChallengeRequired
                | Rejection::ChallengeFailed
                | Rejection::ChallengeUnavailable,
            )
            | Outcome::Created(_)
            | Outcome::PasswordRejected(_)
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

    /// How strong a proof this address is to bring now; `None` where none is needed.
    pub(super) fn strength(&self, address: IpAddr) -> Option<Difficulty> {
        self.pressure_of(address)?.of(address.into(), Instant::now())
    }

    /// What measures this address, if anything does.
    fn pressure_of(&self, address: IpAddr) -> Option<&Pressure> {
        let address = address.to_canonical();
        let exempt = self.exempt.iter().any(|network| network.contains(&address));
        self.pressure.as_ref().filter(|_| !exempt)
    }

    async fn judge(
        &self,
        evidence: ClientSignals,
        address: IpAddr,
    ) -> Result<Option<ProofUse>, Rejection> {
        let now = self.clock.now();
        let robot = self.robot(&evidence, now);
        let reason = robot.or_else(|| self.reason(address));
        let Some(proof) = evidence.proof else {
            let Some(reason) = reason else { return Ok(None) };
            return self.without(reason, address).map(|()| None);
        };
        let proof = match &self.captcha {
            None => self.work.judge(proof.expose_secret(), now).map_err(|fault| {
                self.metrics.challenges().failed(fault.name());
                Rejection::ChallengeFailed
            })?,
            Some(captcha) => match self.ask(captcha, &proof, now, reason, robot.is_some()).await? {
                Some(proof) => proof,
                None => return Ok(None),
            },
        };
        self.metrics.challenges().passed();
        Ok(Some(proof))
    }

    /// Whether the form looks like a robot's.
    fn robot(&self, evidence: &ClientSignals, now: Duration) -> Option<Reason> {
        if evidence.trapped {
            return Some(Reason::Honeypot);
        }
        let Some(token) = &evidence.form_token else {
            return self.settings.form_token_required.then_some(Reason::NoToken);
        };
        match self.form_tokens.read(token, now) {
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
            Required::Adaptive => self.strength(address).map(|_| Reason::Pressure),
        }
    }

    /// An attempt that brings no proof and needs one: the slow lane, for people who cannot, unless
    /// it looks like a robot's.
    fn without(&self, reason: Reason, address: IpAddr) -> Result<(), Rejection> {
        let lane = self.slow_lane.as_ref().filter(|_| reason == Reason::Pressure);
        if lane.is_some_and(|lane| lane.spend(Network::from(address).bits()).is_ok()) {
            self.metrics.challenges().skipped();
            return Ok(());
        }
        self.metrics.challenges().required(reason.name());
        Err(Rejection::ChallengeRequired)
    }

    /// Asks the captcha service; `None` where the attempt goes on without a proof.
    async fn ask(
        &self,
        captcha: &Captcha,
        token: &SecretString,
        now: Duration,
        reason: Option<Reason>,
        robot: bool,
    ) -> Result<Option<ProofUse>, Rejection> {
        let provider = captcha.settings().provider.name();
        let metrics = self.metrics.challenges();
        let goes_on = match captcha.judge(token.expose_secret(), now).await {
            Ok(proof) => return Ok(Some(proof)),
            Err(CaptchaFault::Refused(fault)) => {
                metrics.failed(fault.name());
                return Err(Rejection::ChallengeFailed);
            }
            Err(CaptchaFault::Misconfigured(code)) => {
                tracing::error!(
                    provider,
                    code,
                    "the captcha service refuses challenge.captcha.secret: {code}"
                );
                metrics.unavailable("misconfigured");
                false
            }
            Err(CaptchaFault::Busy) => {
                metrics.unavailable("busy");
                false
            }
            Err(CaptchaFault::Unavailable(why)) => {
                metrics.unavailable("captcha");
                let open = captcha.settings().on_unavailable == OnUnavailable::Allow && !robot;
                let fail = if open { "open" } else { "closed" };
                tracing::warn!(
                    provider,
                    fail,
                    error = chain(&why),
                    "the captcha service does not answer"
                );
                open
            }
        };
        match reason {
            // It was not asked for.
            None => Ok(None),
            Some(_) if goes_on => {
                metrics.fail_open();
                Ok(None)
            }
            Some(_) => Err(Rejection::ChallengeUnavailable),
        }
    }
}
