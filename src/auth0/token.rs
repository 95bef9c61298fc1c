//! The Management API token: fetched once for any number of sign-ups, refreshed before it expires,
//! dropped exactly when the tenant refuses it.
//!
//! One task, the [`TokenRefresher`], makes every request to `/oauth/token`; sign-ups read what it last
//! published. So a failing token endpoint is asked by the keeper's schedule and never by load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::HeaderValue;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Error;
use super::error::{Misconfiguration, Transport};
use super::token_quota::{QuotaWatch, Refresh, TokenQuota};
use super::token_request::{Grant, TokenRequest};
use crate::clock::Clock;
use crate::telemetry::{Metrics, Operation, chain};

/// How long a sign-up waits for a token that is being fetched.
const PATIENCE: Duration = Duration::from_secs(4);

/// A token is refreshed when this part of its life is over.
const REFRESH_AT: f64 = 0.8;

/// A token this close to its end is not used: the call has to arrive before it expires.
const MARGIN: Duration = Duration::from_secs(10);

/// A token is held this long at least, however short its life is said to be.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);

/// The wait after the first failed request, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The longest time without asking, whatever the wait that was told: that may have come from something
/// in front of the tenant, or the quota may have been raised. A request that is refused costs no token.
const LONGEST_SILENCE: Duration = Duration::from_mins(15);

/// The first request waits up to this long unless a sign-up wants it sooner: replicas that start
/// together do not ask together, and one that dies at once costs no token of the client's quota.
const START_JITTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// A token in use.
#[derive(Debug)]
pub(super) struct Token {
    /// `Bearer …`, marked sensitive.
    pub(super) authorization: HeaderValue,
    expires_at: Instant,
    /// The tenant took it at least once.
    proven: AtomicBool,
}

impl Token {
    fn is_good(&self) -> bool {
        Instant::now() < self.expires_at
    }

    /// Notes that the tenant took it.
    pub(super) fn prove(&self) {
        if !self.proven.load(Ordering::Relaxed) {
            self.proven.store(true, Ordering::Relaxed);
        }
    }
}

/// Why there is no token, and when the keeper asks again.
#[derive(Debug, Clone)]
struct TokenFailure {
    error: Error,
    next_try: Instant,
}

impl TokenFailure {
    /// The reason, with the wait that is left.
    fn now(&self) -> Error {
        match &self.error {
            Error::RateLimited { .. } => {
                let left = self.next_try.saturating_duration_since(Instant::now());
                Error::RateLimited { retry_after: left }
            }
            other => other.clone(),
        }
    }
}

/// Whether sign-ups have a token, for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHealth {
    /// None was asked for yet, or the first request has just gone out.
    Starting,
    /// There is a good one.
    Good,
    /// There is none.
    Failing,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<TokenFailure>,
}

impl State {
    fn holds(&self, token: &Arc<Token>) -> bool {
        self.token.as_ref().is_some_and(|current| Arc::ptr_eq(current, token))
    }
}

/// Where sign-ups get the token from.
#[derive(Debug)]
pub(super) struct TokenCache {
    state: watch::Sender<State>,
    started_at: Instant,
    /// A sign-up waits for the first token.
    wanted: Notify,
    /// The token in use was refused.
    refused: Notify,
}

impl TokenCache {
    /// No token yet.
    pub(super) fn new() -> Arc<Self> {
        let (state, _) = watch::channel(State::default());
        let started_at = Instant::now();
        Arc::new(Self { state, started_at, wanted: Notify::new(), refused: Notify::new() })
    }

    /// A token that is good, waiting a short time for one that is being fetched.
    ///
    /// # Errors
    /// The keeper's last failure, when the keeper does not ask again within that time.
    pub(super) async fn get(&self) -> Result<Arc<Token>, Error> {
        match self.current() {
            Some(result) => result,
            None => self.wait().await,
        }
    }

    /// Drops the token if it is still the one in use; the keeper fetches another.
    pub(super) fn refuse(&self, refused: &Arc<Token>) {
        let dropped = self.state.send_if_modified(|state| {
            let current = state.holds(refused);
            if current {
                state.token = None;
            }
            current
        });
        if dropped {
            self.refused.notify_one();
        }
    }

    fn is_current(&self, token: &Arc<Token>) -> bool {
        self.state.borrow().holds(token)
    }

    /// Whether sign-ups have a token now.
    pub(super) fn health(&self) -> TokenHealth {
        let state = self.state.borrow();
        match (&state.token, &state.failure) {
            (Some(token), _) if token.is_good() => TokenHealth::Good,
            (None, None) if self.started_at.elapsed() < PATIENCE => TokenHealth::Starting,
            (_, _) => TokenHealth::Failing,
        }
    }

    /// The answer that needs no waiting.
    fn current(&self) -> Option<Result<Arc<Token>, Error>> {
        let state = self.state.borrow();
        if let Some(token) = state.token.as_ref().filter(|token| token.is_good()) {
            return Some(Ok(Arc::clone(token)));
        }
        let failure = state.failure.as_ref()?;
        // Waiting mends an outage, and nothing that the operator has to mend.
        let hopeless = matches!(failure.error, Error::Misconfigured(_));
        let too_late = failure.next_try > Instant::now() + PATIENCE;
        (hopeless || too_late).then(|| Err(failure.now()))
    }

    async fn wait(&self) -> Result<Arc<Token>, Error> {
        let mut changes = self.state.subscribe();
        self.wanted.notify_one();
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(result) = self.current() {
                    return result;
                }
                if changes.changed().await.is_err() {
                    return Err(Error::NotSent(Arc::new(Transport::NoToken)));
                }
            }
        });
        found.await.unwrap_or_else(|_| {
            let failure = self.state.borrow().failure.as_ref().map(TokenFailure::now);
            Err(failure.unwrap_or_else(|| Error::NotSent(Arc::new(Transport::NoToken))))
        })
    }
}

/// The task that fetches tokens.
#[derive(Debug)]
pub(super) struct TokenRefresher {
    pub(super) tokens: Arc<TokenCache>,
    pub(super) request: TokenRequest,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

impl TokenRefresher {
    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        let jitter = rand::random_range(START_JITTER.0..START_JITTER.1);
        tokio::select! {
            () = sleep(jitter) => {}
            () = self.tokens.wanted.notified() => {}
        }
        let mut backoff = backoff();
        let mut refused_unused = 0;
        let mut watch = QuotaWatch::new(Arc::clone(&self.metrics));
        loop {
            let asked_at = Instant::now();
            let (asked, quota) = self.request.send().await;
            watch.observe(&quota);
            let label = asked.as_ref().map_or_else(Error::label, |_| "granted");
            self.metrics.auth0_request(Operation::Token, label, asked_at.elapsed());
            let failure = match asked {
                Ok(grant) => {
                    let token = self.publish(grant, asked_at);
                    if self.hold(&token, asked_at, &quota).await {
                        refused_unused = 0;
                    } else {
                        refused_unused += 1;
                    }
                    // One token that was refused before it was ever taken may have been revoked;
                    // with a second, asking at once would make every sign-up cost a token.
                    if refused_unused < 2 {
                        backoff = self::backoff();
                        continue;
                    }
                    Misconfiguration::TokenRefused.into()
                }
                Err(error) => error,
            };
            let wait = backoff.next().unwrap_or(BACKOFF.1);
            let wait = match &failure {
                Error::RateLimited { retry_after } => wait.max(*retry_after),
                _ => wait,
            };
            self.fail(failure, wait).await;
        }
    }

    fn publish(&self, grant: Grant, asked_at: Instant) -> Arc<Token> {
        let lifetime = grant.lifetime;
        let margin = MARGIN.min(lifetime / 2);
        let token = Arc::new(Token {
            authorization: grant.authorization,
            expires_at: asked_at + lifetime.saturating_sub(margin),
            proven: AtomicBool::new(false),
        });
        let state = State { token: Some(Arc::clone(&token)), failure: None };
        self.tokens.state.send_replace(state);
        self.metrics.token_expires(self.clock.now() + lifetime);
        tracing::info!(
            lifetime_s = lifetime.as_secs(),
            "fetched a Management API token for {} s",
            lifetime.as_secs()
        );
        token
    }

    /// Waits until the token has to be refreshed or was refused.
    ///
    /// `false` when it was refused without ever having been taken.
    async fn hold(&self, token: &Arc<Token>, asked_at: Instant, quota: &TokenQuota) -> bool {
        let life = token.expires_at - asked_at;
        let early = life.mul_f64(REFRESH_AT);
        let refresh = match quota.refresh(early, life, asked_at.elapsed()) {
            Refresh::After(wait) => wait,
            // Asked early all the same: the quota may have been raised, and if not, sign-ups hear
            // by the answer when there will be a token.
            Refresh::InVain(wait) => {
                let life_s = life.as_secs();
                tracing::warn!(
                    life_s,
                    "the token is of no use after {life_s} s, before the application's quota \
                     begins anew"
                );
                wait
            }
        };
        let soonest = Instant::now() + SHORTEST_HOLD;
        let refresh = sleep_until(soonest.max(asked_at + refresh));
        tokio::pin!(refresh);
        loop {
            tokio::select! {
                () = &mut refresh => return true,
                () = self.tokens.refused.notified() => {
                    // The notice may be of the token before this one.
                    if !self.tokens.is_current(token) {
                        return token.proven.load(Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn fail(&self, error: Error, wait: Duration) {
        log_failure(&error, wait);
        let failure = TokenFailure { error, next_try: Instant::now() + wait };
        self.tokens.state.send_modify(|state| state.failure = Some(failure));
        sleep(wait.min(LONGEST_SILENCE)).await;
    }
}

/// An error when the operator must act, a warning when waiting is all there is to do.
fn log_failure(failure: &Error, wait: Duration) {
    let (error, retry_in_ms) = (chain(failure), wait.as_millis());
    if matches!(failure, Error::Misconfigured(_)) {
        tracing::error!(error, retry_in_ms, "cannot fetch a Management API token: {failure}");
    } else {
        tracing::warn!(error, retry_in_ms, "cannot fetch a Management API token: {failure}");
    }
}

fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(BACKOFF.0)
        .with_max_delay(BACKOFF.1)
        .with_jitter()
        .without_max_times()
        .build()
}
