//! Challenges: decides whether an attempt needs a proof, and verifies the proof that it has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep};

use super::captcha::{Captcha, CaptchaClientError, CaptchaError};
use super::client_signals::ClientSignals;
use super::form_token::{FillTime, FormTokens};
use super::network::{Network, any_contains};
use super::network_limiter::{BucketNames, NetworkLimiter};
use super::pressure::Pressure;
use super::source_counts::{Counted, SourceCounts};
use super::state::AbuseState;
use super::work::{Difficulty, ProofOfWork};
use crate::clock::Clock;
use crate::config::{ChallengeSettings, LimitSettings, OnUnavailable, Required};
use crate::context::Context;
use crate::form::Submission;
use crate::ledger::ProofUse;
use crate::limits::{Limit, Rate};
use crate::signup::{Outcome, Rejection, SignupResult};
use crate::telemetry::{LogGate, Metrics, chain};

/// Interval at which a captcha token that waits for a permit looks for one.
const PERMIT_POLL: Duration = Duration::from_millis(20);

/// Requires proofs and verifies them.
#[derive(Debug)]
pub struct Challenges {
    pub(super) settings: ChallengeSettings,
    form_tokens: FormTokens,
    pub(super) work: ProofOfWork,
    pub(super) captcha: Option<Captcha>,
    /// Only where a proof is required under pressure.
    pressure: Option<Pressure>,
    /// The attempts that each network may make without a proof under pressure. `None`: no attempt.
    without_proof: Option<NetworkLimiter>,
    /// Limits the challenges issued to each network.
    pub(super) issued: NetworkLimiter,
    /// The requests for challenges under way.
    pub(super) issuing: SourceCounts,
    /// Limits the captcha tokens of each network that the captcha service rejects.
    failed_captchas: Option<NetworkLimiter>,
    /// The captcha tokens that are being verified.
    verifying: SourceCounts,
    /// Bounds the lines about a captcha service that fails.
    captcha_log: LogGate,
    /// Networks that need no proof under pressure.
    exempt: Vec<IpNet>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

/// The reason why an attempt needs a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
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

    /// Returns whether the form itself looks automated.
    const fn is_robot(self) -> bool {
        match self {
            Self::Honeypot | Self::TooSoon | Self::TooLate | Self::ForgedToken | Self::NoToken => {
                true
            }
            Self::Always | Self::Pressure => false,
        }
    }
}

impl Challenges {
    /// Challenges by these settings, with the counts of `state`. `limits` gives the number of networks
    /// to remember, and those that need no proof under pressure.
    ///
    /// # Errors
    /// If the client of the captcha service cannot be built.
    pub fn new(
        settings: ChallengeSettings,
        limits: &LimitSettings,
        state: &AbuseState,
        context: &Context,
    ) -> Result<Self, CaptchaClientError> {
        const HOUR: Duration = Duration::from_hours(1);
        const MINUTE: Duration = Duration::from_mins(1);
        let (without_proof, issued) =
            (settings.without_proof_per_hour, settings.work.per_minute.max(1));
        let Context { clock, digests, lifecycle, metrics } = context;
        let max_buckets = limits.max_buckets;
        let adaptive = settings.required == Required::Adaptive;
        let limiter = |rate: Rate, network, site, block| {
            let names = BucketNames { network, site, block };
            NetworkLimiter::new(rate, max_buckets, state, names, metrics)
        };
        Ok(Self {
            form_tokens: FormTokens::new(digests, settings.fill_time.clone()),
            work: ProofOfWork::new(&settings.work, digests, lifecycle),
            captcha: settings.captcha.as_ref().map(Captcha::new).transpose()?,
            pressure: adaptive
                .then(|| Pressure::new(settings.adaptive, max_buckets, state, metrics)),
            without_proof: (adaptive && without_proof > 0).then(|| {
                let rate = Rate { burst: without_proof, every: HOUR / without_proof };
                // `limits.service` bounds what a block can do with them.
                limiter(rate, "without_proof", "site_without_proof", None)
            }),
            issued: limiter(
                Rate { burst: issued, every: MINUTE / issued },
                "challenges",
                "site_challenges",
                Some("block_challenges"),
            ),
            issuing: state.issuing(),
            failed_captchas: limits.failed_captchas.filter(|_| settings.captcha.is_some()).map(
                |rate| {
                    let (site, block) = ("site_failed_captchas", "block_failed_captchas");
                    limiter(rate, Limit::FailedCaptchas.name(), site, Some(block))
                },
            ),
            verifying: SourceCounts::new(usize::MAX),
            captcha_log: LogGate::new(),
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
    pub const fn form_tokens(&self) -> &FormTokens {
        &self.form_tokens
    }

    /// Reads the parts of a form that show whether a person filled it in.
    pub fn client_signals(&self, form: &Submission<'_>) -> ClientSignals {
        let captcha = self.settings.captcha.as_ref().map(|captcha| captcha.provider);
        ClientSignals::from_form(form, self.settings.honeypot.as_deref(), captcha)
    }

    /// Returns whether the built-in page issued the form.
    pub fn is_own_form(&self, signals: &ClientSignals) -> bool {
        signals.form_token.as_deref().is_some_and(|token| self.form_tokens.is_known(token))
    }

    /// Decides whether an attempt from this address may continue, and with which proof.
    /// `is_limited` says whether a limit would reject the attempt without one.
    ///
    /// # Errors
    /// If it needs a proof, or if its proof is not valid.
    pub async fn admit(
        &self,
        signals: ClientSignals,
        address: IpAddr,
        is_limited: impl FnOnce() -> bool + Send,
    ) -> Result<Option<ProofUse>, Rejection> {
        let owed = self.difficulty(address);
        if let Some(pressure) = self.pressure_on(address) {
            pressure.record_try(address.into());
        }
        let now = self.clock.now();
        let reason = self.robot(&signals, now).or_else(|| self.reason(owed));
        let Some(proof) = signals.proof else {
            let Some(reason) = reason else { return Ok(None) };
            return self.admit_without_proof(reason, address, is_limited).map(|()| None);
        };
        let proof = match &self.captcha {
            None => {
                let owed = owed.unwrap_or(Difficulty::Base);
                self.work.verify(proof.expose_secret(), owed, now).map_err(|error| {
                    self.metrics.challenges().failed(error.name());
                    self.record_robot(address);
                    Rejection::ChallengeFailed
                })?
            }
            // The service is not asked about a token that nobody needs.
            Some(_) if reason.is_none() && !is_limited() => return Ok(None),
            Some(captcha) => match self.verify_captcha(captcha, &proof, reason, address).await? {
                Some(proof) => proof,
                None => return Ok(None),
            },
        };
        self.metrics.challenges().passed();
        Ok(Some(proof))
    }

    /// Counts an attempt that passed all limits. Returns whether its outcome counts too.
    pub fn count_attempt(&self, address: IpAddr) -> bool {
        let pressure = self.pressure_on(address);
        pressure.is_some_and(|pressure| pressure.record_attempt(address.into(), Instant::now()))
    }

    /// Counts a proof that turned out to be used before.
    pub fn count_used_proof(&self, result: &SignupResult) {
        if matches!(result.outcome, Outcome::Rejected(Rejection::ProofUsed)) {
            self.metrics.challenges().failed("used");
        }
    }

    /// Adds the outcome of an attempt to the pressure. `hidden`: the client cannot see whether it was successful,
    /// so the pressure must not show it either.
    pub fn record_outcome(&self, result: &SignupResult, hidden: bool) {
        let unsuccessful = match &result.outcome {
            Outcome::EmailTaken | Outcome::UsernameTaken => !hidden,
            Outcome::Rejected(Rejection::ProofUsed) => true,
            // Counts for its network only.
            Outcome::Rejected(
                Rejection::Limited { .. }
                | Rejection::ChallengeRequired
                | Rejection::ChallengeFailed
                | Rejection::ChallengeUnavailable,
            ) => return,
            Outcome::Created(_)
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
            | Outcome::InProgress => false,
        };
        if let Some(pressure) = &self.pressure {
            pressure.record_outcome(unsuccessful, Instant::now());
        }
    }

    /// The difficulty of the proof that this address needs now; `None` if it needs none.
    pub(super) fn difficulty(&self, address: IpAddr) -> Option<Difficulty> {
        self.pressure_on(address)?.difficulty(address.into(), Instant::now())
    }

    /// The pressure that applies to this address; `None` if the address is exempt.
    fn pressure_on(&self, address: IpAddr) -> Option<&Pressure> {
        self.pressure.as_ref().filter(|_| !self.is_exempt(address))
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        any_contains(&self.exempt, address)
    }

    /// Records a form that looks automated, or whose proof is wrong.
    fn record_robot(&self, address: IpAddr) {
        if let Some(pressure) = self.pressure_on(address) {
            pressure.record_robot(address.into(), Instant::now());
        }
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

    /// The reason to require a proof of every form. `owed` is the difficulty that the pressure asks
    /// of this address.
    pub(super) fn reason(&self, owed: Option<Difficulty>) -> Option<Reason> {
        match self.settings.required {
            Required::Off => None,
            Required::Always => Some(Reason::Always),
            Required::Adaptive => owed.map(|_| Reason::Pressure),
        }
    }

    /// Decides on an attempt that needs a proof and has none. Under pressure each network may make
    /// a few, for people who cannot solve a challenge; an apparent robot may make none. One that a limit
    /// would reject uses none of them up.
    fn admit_without_proof(
        &self,
        reason: Reason,
        address: IpAddr,
        is_limited: impl FnOnce() -> bool,
    ) -> Result<(), Rejection> {
        let limiter = self.without_proof.as_ref();
        let limiter = limiter.filter(|_| reason == Reason::Pressure && !is_limited());
        if limiter.is_some_and(|limiter| limiter.try_acquire(address.into()).is_ok()) {
            self.metrics.challenges().skipped();
            return Ok(());
        }
        if reason.is_robot() {
            self.record_robot(address);
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
        address: IpAddr,
    ) -> Result<Option<ProofUse>, Rejection> {
        let provider = captcha.settings().provider.name;
        let metrics = self.metrics.challenges();
        let permit = self.captcha_permit(address).await?;
        let verified = captcha.verify(token.expose_secret()).await;
        if let Some(permit) = permit
            && !matches!(verified, Err(CaptchaError::Invalid(_)))
        {
            permit.give_back();
        }
        let allow = match verified {
            Ok(proof) => return Ok(Some(proof)),
            Err(CaptchaError::Invalid(error)) => {
                metrics.failed(error.name());
                self.record_robot(address);
                return Err(Rejection::ChallengeFailed);
            }
            Err(CaptchaError::Misconfigured(code)) => {
                if self.captcha_log.is_due() {
                    tracing::error!(
                        provider,
                        code,
                        "the captcha service rejects challenge.captcha.secret: {code}"
                    );
                }
                metrics.unavailable("misconfigured");
                false
            }
            Err(CaptchaError::Busy) => {
                metrics.unavailable("busy");
                false
            }
            Err(CaptchaError::Unavailable(error)) => {
                metrics.unavailable("captcha");
                let allow = captcha.settings().on_unavailable == OnUnavailable::Allow
                    && !reason.is_some_and(Reason::is_robot);
                let on_unavailable = if allow { "allow" } else { "reject" };
                if self.captcha_log.is_due() {
                    tracing::warn!(
                        provider,
                        on_unavailable,
                        error = chain(&error),
                        "the captcha service is unavailable"
                    );
                }
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

    /// Takes a permit for a token that may fail; `None` where there is no limit. Without a permit,
    /// waits for the tokens that are being verified: a valid one gives its own back. Only those of the
    /// narrowest level without a permit count. So an address whose tokens have failed does not wait for
    /// its neighbours'.
    ///
    /// # Errors
    /// The time to wait, if too many tokens of this address, its /48 or its block failed.
    async fn captcha_permit(
        &self,
        address: IpAddr,
    ) -> Result<Option<CaptchaPermit<'_>>, Rejection> {
        let limiter = self.failed_captchas.as_ref().filter(|_| !self.is_exempt(address));
        let Some(limiter) = limiter else { return Ok(None) };
        let network = Network::from(address);
        loop {
            let empty = limiter.empty_level(network);
            if !empty.is_some_and(|level| self.verifying.has_any(level, network)) {
                match limiter.try_acquire(network) {
                    Ok(_) => {
                        let counted = self.verifying.add(network);
                        return Ok(Some(CaptchaPermit { limiter, network, _counted: counted }));
                    }
                    // Another token took it.
                    Err(_) if empty.is_none() => {}
                    Err((_, state)) => {
                        let retry_after = state.next_in;
                        return Err(Rejection::Limited {
                            limit: Limit::FailedCaptchas,
                            retry_after,
                        });
                    }
                }
            }
            sleep(PERMIT_POLL).await;
        }
    }
}

/// A permit for a token that is being verified. It is taken ahead, so that concurrent tokens count.
struct CaptchaPermit<'a> {
    limiter: &'a NetworkLimiter,
    network: Network,
    _counted: Option<Counted>,
}

impl CaptchaPermit<'_> {
    /// Gives it back: the token has not failed.
    fn give_back(self) {
        self.limiter.give_back(self.network);
    }
}
