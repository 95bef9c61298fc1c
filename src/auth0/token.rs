//! The Management API token: fetched once for any number of sign-ups, refreshed before it expires,
//! and dropped exactly when the tenant rejects it.
//!
//! One task, the [`TokenRefresher`], makes every request to `/oauth/token`; sign-ups read what it
//! last published. So the load on a failing token endpoint depends on the refresher's schedule
//! alone, never on the number of sign-ups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::{Misconfiguration, TokenError};
use super::read_access::ReadAccess;
use super::scopes::{self, CREATE_USERS};
use super::token_request::{TokenGrant, TokenRequest};
use super::token_retry::RetryState;
use super::wait::PROBE_INTERVAL;
use crate::clock::Clock;
use crate::telemetry::{Metrics, Operation, chain};

/// The longest time that a sign-up waits for a token that is being fetched.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// The part of a token's lifetime after which it is refreshed.
const REFRESH_AT: f64 = 0.8;

/// The interval of requests for another token while the one in use lacks `create:users`: an operator
/// who grants the scope need not restart anything.
const SCOPE_RETRY: Duration = Duration::from_mins(5);

/// A token this close to its expiry is not used, since the call must arrive before it expires.
const MARGIN: Duration = Duration::from_secs(10);

/// The shortest time between two refreshes, however short the reported lifetime is.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// The delay of the first request, unless a sign-up needs it sooner. Replicas that start together
/// do not request together, and one that dies at once costs no token of the application's quota.
const START_JITTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// A token in use.
#[derive(Debug)]
pub(super) struct Token {
    /// `Bearer …`, marked sensitive.
    pub(super) authorization: HeaderValue,
    expires_at: Instant,
    /// Set once the tenant has accepted it.
    accepted: AtomicBool,
    /// True unless its response names scopes without `create:users`, or the last create-user call was
    /// forbidden.
    may_create: AtomicBool,
}

impl Token {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.expires_at
    }

    /// Records that the tenant accepted it.
    pub(super) fn mark_accepted(&self) {
        if !self.accepted.load(Ordering::Relaxed) {
            self.accepted.store(true, Ordering::Relaxed);
        }
    }

    fn may_create(&self) -> bool {
        self.may_create.load(Ordering::Relaxed)
    }
}

/// The reason that there is no token, and the time of the next request.
#[derive(Debug, Clone)]
struct TokenFailure {
    error: TokenError,
    /// The end of the wait. A probe may be sent earlier.
    next_try: Instant,
    /// True if the tenant asked for a wait of more than a minute.
    is_long: bool,
}

impl TokenFailure {
    /// The reason, with the remaining wait.
    fn now(&self) -> TokenError {
        match &self.error {
            TokenError::RateLimited { .. } => {
                let left = self.next_try.saturating_duration_since(Instant::now());
                TokenError::RateLimited { retry_after: left }
            }
            other => other.clone(),
        }
    }
}

/// The state of the token, or of all that calls need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamHealth {
    /// The first request is about to be sent, or has just been sent.
    Starting,
    /// There is a fresh token, and nothing keeps calls from succeeding.
    Good,
    /// There is no token, it lacks `create:users`, calls fail, or the tenant asked for a wait of more
    /// than a minute.
    Failing,
}

#[derive(Debug, Default)]
struct TokenState {
    token: Option<Arc<Token>>,
    failure: Option<TokenFailure>,
    read_access: ReadAccess,
}

impl TokenState {
    fn holds(&self, token: &Arc<Token>) -> bool {
        self.token.as_ref().is_some_and(|current| Arc::ptr_eq(current, token))
    }
}

/// The token that sign-ups use.
#[derive(Debug)]
pub(super) struct TokenCache {
    state: watch::Sender<TokenState>,
    started_at: Instant,
    /// Notified when a sign-up waits for the first token.
    fetch_requested: Notify,
    /// Notified when the token in use was rejected, or a create-user call with it was forbidden.
    invalidated: Notify,
    metrics: Arc<Metrics>,
}

impl TokenCache {
    /// Returns a cache without a token.
    pub(super) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        let (state, _) = watch::channel(TokenState::default());
        let started_at = Instant::now();
        Arc::new(Self {
            state,
            started_at,
            fetch_requested: Notify::new(),
            invalidated: Notify::new(),
            metrics,
        })
    }

    /// Returns a fresh token, waiting up to [`MAX_WAIT`] for one that is being fetched.
    ///
    /// # Errors
    /// The refresher's last failure, if the refresher sends no further request within that time.
    pub(super) async fn get(&self) -> Result<Arc<Token>, TokenError> {
        match self.current() {
            Some(result) => result,
            None => self.wait().await,
        }
    }

    /// Drops the token if it is still the one in use; the refresher fetches another.
    pub(super) fn invalidate(&self, rejected: &Arc<Token>) {
        let dropped = self.state.send_if_modified(|state| {
            let current = state.holds(rejected);
            if current {
                state.token = None;
                self.metrics.token_expires(Duration::ZERO);
            }
            current
        });
        if dropped {
            self.invalidated.notify_one();
        }
    }

    /// Returns whether lookups are allowed, as far as is known.
    pub(super) fn may_read_users(&self) -> bool {
        self.state.borrow().read_access == ReadAccess::Granted
    }

    /// Returns whether the token in use certainly allows no lookups.
    pub(super) fn forbids_lookups(&self) -> bool {
        self.state.borrow().read_access == ReadAccess::Missing
    }

    /// Records that a lookup with this token was allowed or forbidden.
    pub(super) fn record_lookup(&self, token: &Arc<Token>, is_allowed: bool) {
        self.state.send_if_modified(|state| {
            if state.holds(token) {
                state.read_access = state.read_access.after_lookup(is_allowed);
            }
            // Nothing waits for it.
            false
        });
    }

    /// Records that a create-user call with this token was allowed or forbidden. A token response need
    /// not name its scopes.
    pub(super) fn record_create(&self, token: &Arc<Token>, is_allowed: bool) {
        if token.may_create() != is_allowed {
            token.may_create.store(is_allowed, Ordering::Relaxed);
            self.invalidated.notify_one();
        }
    }

    /// Returns whether the token endpoint asked for a wait of more than a minute, which is not over.
    pub(super) fn is_waiting_long(&self) -> bool {
        let state = self.state.borrow();
        let waits = |failure: &TokenFailure| failure.is_long && Instant::now() < failure.next_try;
        state.failure.as_ref().is_some_and(waits)
    }

    /// The state of the token now.
    pub(super) fn health(&self) -> UpstreamHealth {
        let state = self.state.borrow();
        match (&state.token, &state.failure) {
            (Some(token), _) if token.is_fresh() && token.may_create() => UpstreamHealth::Good,
            (None, None) if self.started_at.elapsed() < MAX_WAIT => UpstreamHealth::Starting,
            (_, _) => UpstreamHealth::Failing,
        }
    }

    /// Returns the result that needs no waiting, if there is one.
    fn current(&self) -> Option<Result<Arc<Token>, TokenError>> {
        let state = self.state.borrow();
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh()) {
            return Some(Ok(Arc::clone(token)));
        }
        let failure = state.failure.as_ref()?;
        // Waiting helps in an outage, but not where the operator has to act.
        let permanent = matches!(failure.error, TokenError::Misconfigured(_));
        let too_late = failure.next_try > Instant::now() + MAX_WAIT;
        (permanent || too_late).then(|| Err(failure.now()))
    }

    async fn wait(&self) -> Result<Arc<Token>, TokenError> {
        let mut changes = self.state.subscribe();
        self.fetch_requested.notify_one();
        let found = timeout(MAX_WAIT, async {
            loop {
                if let Some(result) = self.current() {
                    return result;
                }
                if changes.changed().await.is_err() {
                    return Err(TokenError::Pending);
                }
            }
        });
        found.await.unwrap_or_else(|_| {
            let failure = self.state.borrow().failure.as_ref().map(TokenFailure::now);
            Err(failure.unwrap_or(TokenError::Pending))
        })
    }
}

/// The task that fetches tokens.
#[derive(Debug)]
pub(super) struct TokenRefresher {
    pub(super) tokens: Arc<TokenCache>,
    pub(super) request: Arc<TokenRequest>,
    pub(super) clock: Arc<dyn Clock>,
}

impl TokenRefresher {
    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        let jitter = rand::random_range(START_JITTER.0..START_JITTER.1);
        tokio::select! {
            () = sleep(jitter) => {}
            () = self.tokens.fetch_requested.notified() => {}
        }
        let mut retry = RetryState::new();
        loop {
            let requested_at = Instant::now();
            let response = retry.judge(self.request.send().await, requested_at);
            let label = response.as_ref().map_or_else(TokenError::label, |_| "granted");
            self.tokens.metrics.auth0_request(Operation::Token, label, requested_at.elapsed());
            let error = match response {
                Ok(grant) => {
                    let token = self.publish(grant, requested_at);
                    let was_accepted = self.wait_until_stale(&token, requested_at).await;
                    if retry.record_end(was_accepted) {
                        continue;
                    }
                    Misconfiguration::TokenRejected.into()
                }
                Err(error) => error,
            };
            let (next_try, is_long) = retry.schedule(&error, Instant::now());
            tokio::select! {
                () = self.fail(TokenFailure { error, next_try, is_long }) => {}
                () = self.request.credentials().replaced() => retry = RetryState::new(),
            }
        }
    }

    fn publish(&self, grant: TokenGrant, requested_at: Instant) -> Arc<Token> {
        let lifetime = grant.lifetime;
        let margin = MARGIN.min(lifetime / 2);
        let scopes = grant.scopes.as_deref();
        let may_create = scopes.is_none_or(|scopes| scopes::includes(scopes, CREATE_USERS));
        let token = Arc::new(Token {
            authorization: grant.authorization,
            expires_at: requested_at + lifetime.saturating_sub(margin),
            accepted: AtomicBool::new(false),
            may_create: AtomicBool::new(may_create),
        });
        let expires_at = self.clock.now() + lifetime;
        self.tokens.state.send_modify(|state| {
            let read_access = state.read_access.after_grant(scopes);
            *state = TokenState { token: Some(Arc::clone(&token)), failure: None, read_access };
            // Under the lock, so that a rejection of this token sets it to zero later.
            self.tokens.metrics.token_expires(expires_at);
        });
        tracing::info!(
            lifetime_s = lifetime.as_secs(),
            "fetched a Management API token for {} s",
            lifetime.as_secs()
        );
        if let Some(scopes) = scopes {
            scopes::report(scopes);
        }
        token
    }

    /// Waits until the token has to be refreshed or was rejected, or the credentials were replaced:
    /// a wrong one is then found at once, while the token still works.
    ///
    /// Returns `false` if it was rejected without ever having been accepted.
    async fn wait_until_stale(&self, token: &Arc<Token>, requested_at: Instant) -> bool {
        let lifetime = token.expires_at - requested_at;
        let soonest = Instant::now() + MIN_REFRESH_INTERVAL;
        let mut refresh_at = soonest.max(requested_at + lifetime.mul_f64(REFRESH_AT));
        loop {
            if !token.may_create() {
                refresh_at = refresh_at.min(Instant::now() + SCOPE_RETRY);
            }
            tokio::select! {
                () = sleep_until(refresh_at) => return true,
                () = self.request.credentials().replaced() => return true,
                () = self.tokens.invalidated.notified() => {
                    // The notification may be about the previous token.
                    if !self.tokens.state.borrow().holds(token) {
                        return token.accepted.load(Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn fail(&self, failure: TokenFailure) {
        let wait = failure.next_try.saturating_duration_since(Instant::now());
        log_failure(&failure.error, wait);
        self.tokens.state.send_modify(|state| state.failure = Some(failure));
        sleep(wait.min(PROBE_INTERVAL)).await;
    }
}

/// Logs an error if the operator must act, and a warning if waiting is enough.
fn log_failure(failure: &TokenError, wait: Duration) {
    let (error, retry_in_ms) = (chain(failure), wait.as_millis());
    if matches!(failure, TokenError::Misconfigured(_)) {
        tracing::error!(error, retry_in_ms, "cannot fetch a Management API token: {failure}");
    } else {
        tracing::warn!(error, retry_in_ms, "cannot fetch a Management API token: {failure}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth0::http_client::HttpClient;
    use crate::auth0::tenant_clock::TenantClock;
    use crate::auth0::test_client;
    use crate::clock::SystemClock;

    /// The time for which a token with these scopes is fresh. A create-user call with it is forbidden
    /// after an hour, if so.
    async fn fresh_for(scopes: Option<&str>, is_forbidden: bool) -> Duration {
        let settings = test_client::settings().auth0;
        let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::new()));
        let tenant_clock =
            TenantClock::new(Arc::<SystemClock>::clone(&clock), Arc::clone(&metrics));
        let http = HttpClient::new(&settings, tenant_clock, None).unwrap();
        let request = Arc::new(TokenRequest::new(http, &settings).unwrap());
        let refresher = TokenRefresher { tokens: TokenCache::new(metrics), request, clock };
        let started = Instant::now();
        let grant = TokenGrant {
            authorization: HeaderValue::from_static("Bearer token"),
            lifetime: Duration::from_hours(24),
            scopes: scopes.map(Into::into),
        };
        let token = refresher.publish(grant, started);
        let forbid = async {
            sleep(Duration::from_hours(1)).await;
            refresher.tokens.record_create(&token, !is_forbidden);
        };
        let (is_refresh, ()) = tokio::join!(refresher.wait_until_stale(&token, started), forbid);
        assert!(is_refresh);
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_the_scope_of_sign_ups_is_soon_replaced() {
        let hour = Duration::from_hours(1);
        for (scopes, is_forbidden, soonest) in [
            (Some("read:users"), true, SCOPE_RETRY),
            (Some("create:users read:users"), true, hour + SCOPE_RETRY),
            (None, true, hour + SCOPE_RETRY),
            (Some("create:users read:users"), false, hour * 19),
            (None, false, hour * 19),
        ] {
            let after = fresh_for(scopes, is_forbidden).await;
            assert!((soonest..soonest + hour).contains(&after), "{scopes:?}: {after:?}");
        }
    }
}
