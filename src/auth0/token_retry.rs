//! The schedule of token requests that follow a failure. Sends nothing, and holds no token.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use super::error::TokenError;
use super::wait::PROBE_INTERVAL;

/// The wait after the first failed request, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The time for which every response was not Auth0's, after which the operator has to act. A proxy that starts
/// again takes less.
const MOMENT_OF_A_PROXY: Duration = Duration::from_secs(5);

/// The failures so far, as far as the next request depends on them.
#[derive(Debug)]
pub(super) struct RetryState {
    backoff: ExponentialBackoff,
    /// The tokens in a row that were rejected before they were ever accepted.
    rejected_unused: u32,
    /// The time of the first request since which every response was not Auth0's.
    not_auth0_since: Option<Instant>,
    /// The end of a wait of more than a minute that the tenant asked for.
    long_until: Option<Instant>,
}

impl RetryState {
    /// Returns the state without failures.
    pub(super) fn new() -> Self {
        Self { backoff: backoff(), rejected_unused: 0, not_auth0_since: None, long_until: None }
    }

    /// Returns the result of a request. Makes [`TokenError::NotAuth0`] the operator's error after
    /// [`MOMENT_OF_A_PROXY`] in which no response was Auth0's.
    pub(super) fn judge<T>(
        &mut self,
        result: Result<T, TokenError>,
        requested_at: Instant,
    ) -> Result<T, TokenError> {
        let Err(TokenError::NotAuth0(reason)) = result else {
            self.not_auth0_since = None;
            if result.is_ok() {
                self.long_until = None;
            }
            return result;
        };
        let since = *self.not_auth0_since.get_or_insert(requested_at);
        Err(if since.elapsed() >= MOMENT_OF_A_PROXY {
            reason.into()
        } else {
            TokenError::NotAuth0(reason)
        })
    }

    /// Records the end of a token. Returns whether the next one may be requested at once.
    ///
    /// One token that was rejected before it was ever accepted may have been revoked. After a second
    /// one, an immediate request would make every sign-up cost a token.
    pub(super) fn record_end(&mut self, was_accepted: bool) -> bool {
        self.rejected_unused = if was_accepted { 0 } else { self.rejected_unused + 1 };
        let is_immediate = self.rejected_unused < 2;
        if is_immediate {
            self.backoff = backoff();
        }
        is_immediate
    }

    /// Returns the time of the next request after a failure, and whether it ends a wait of more than a
    /// minute.
    ///
    /// A long wait goes on while probes are rejected, by whatever is in front of the tenant.
    pub(super) fn schedule(&mut self, failure: &TokenError, now: Instant) -> (Instant, bool) {
        // The jitter is added to the longest delay too.
        let wait = self.backoff.next().unwrap_or(BACKOFF.1).min(BACKOFF.1);
        let TokenError::RateLimited { retry_after } = failure else { return (now + wait, false) };
        let wait = wait.max(*retry_after);
        let next_try = now + wait;
        if wait > PROBE_INTERVAL {
            self.long_until = Some(next_try);
        }
        match self.long_until.filter(|until| *until > now) {
            Some(until) => (next_try.max(until), true),
            None => (next_try, false),
        }
    }
}

fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(BACKOFF.0)
        .with_max_delay(BACKOFF.1)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::super::error::Misconfiguration;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOT_AUTH0: Misconfiguration = Misconfiguration::NotAuth0 { status: 502 };

    const fn rate_limited(seconds: u64) -> TokenError {
        TokenError::RateLimited { retry_after: Duration::from_secs(seconds) }
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        let (mut retry, now) = (RetryState::new(), Instant::now());
        let mut wait = || retry.schedule(&TokenError::Pending, now).0 - now;
        let waits: Vec<_> = (0..100).map(|_| wait()).collect();
        assert_eq!(waits.iter().max(), Some(&BACKOFF.1));
        assert!(waits.iter().all(|wait| *wait >= BACKOFF.0));
    }

    #[test]
    fn a_long_wait_goes_on_while_probes_are_rejected() {
        let (mut retry, start) = (RetryState::new(), Instant::now());
        let end = start + 150 * SECOND;
        assert_eq!(retry.schedule(&rate_limited(150), start), (end, true));
        let probe = start + 60 * SECOND;
        assert_eq!(retry.schedule(&rate_limited(1), probe), (end, true));
        let (next_try, is_long) = retry.schedule(&TokenError::NotAuth0(NOT_AUTH0), probe);
        assert!(next_try <= probe + BACKOFF.1 && !is_long);
        assert_eq!(retry.schedule(&rate_limited(31), end), (end + 31 * SECOND, false));

        retry.schedule(&rate_limited(150), start);
        retry.judge(Ok(()), probe).unwrap();
        assert_eq!(retry.schedule(&rate_limited(31), probe), (probe + 31 * SECOND, false));
    }

    #[test]
    fn a_second_token_that_was_never_accepted_waits() {
        let mut retry = RetryState::new();
        assert!(retry.record_end(false) && !retry.record_end(false));
        assert!(retry.record_end(true) && retry.record_end(false));
    }

    #[tokio::test(start_paused = true)]
    async fn responses_of_another_server_become_the_operators_error_after_a_while() {
        let mut retry = RetryState::new();
        let other = || Err::<(), _>(TokenError::NotAuth0(NOT_AUTH0));
        let start = Instant::now();
        assert!(matches!(retry.judge(other(), start), Err(TokenError::NotAuth0(_))));
        advance(MOMENT_OF_A_PROXY).await;
        let judged = retry.judge(other(), Instant::now());
        assert!(matches!(judged, Err(TokenError::Misconfigured(_))), "{judged:?}");
        // Any other result in between starts the time again.
        assert!(retry.judge(Err::<(), _>(rate_limited(1)), Instant::now()).is_err());
        let judged = retry.judge(other(), Instant::now());
        assert!(matches!(judged, Err(TokenError::NotAuth0(_))), "{judged:?}");
    }
}
