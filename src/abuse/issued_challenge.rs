//! The response of `GET /signup/challenge`, and the part of the policy that describes challenges.

use std::net::IpAddr;
use std::time::Duration;

use altcha::Challenge;
use serde::Serialize;

use super::captcha::Captcha;
use super::challenges::Challenges;
use super::work::Difficulty;

/// The route that issues challenges.
pub const CHALLENGE_PATH: &str = "/signup/challenge";

/// Time to wait before asking again, if no challenge could be made.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Time to wait for a client that has several requests under way, or whose block has many.
const NEXT_IN_LINE: Duration = Duration::from_secs(1);

/// A challenge to solve, and whether a proof is needed now. ALTCHA's widget takes it as it is.
#[derive(Debug, Serialize)]
pub struct IssuedChallenge {
    required: bool,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site_key: Option<String>,
    #[serde(flatten)]
    work: Option<Challenge>,
}

/// The reason why no challenge was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueError {
    /// This address, or its block, requested too many.
    Limited {
        /// Time to wait.
        retry_after: Duration,
    },
    /// Too many are requested at once, so none could be made in time.
    Busy {
        /// Time to wait.
        retry_after: Duration,
    },
}

/// The facts about challenges that a front end reads once.
#[derive(Debug, Serialize)]
pub struct ChallengeInfo<'a> {
    kinds: [&'static str; 1],
    endpoint: String,
    site_key: Option<&'a str>,
    /// The action that the token of a captcha must name.
    action: Option<&'a str>,
}

impl Challenges {
    /// Issues a challenge for a form of this address, and says whether a proof is needed now.
    ///
    /// # Errors
    /// [`IssueError`] if the address or its block asked too often, or no challenge can be made.
    pub async fn issue(&self, address: IpAddr) -> Result<IssuedChallenge, IssueError> {
        let difficulty = self.difficulty(address);
        let required = self.reason(difficulty).is_some();
        if let Some(captcha) = &self.captcha {
            let site_key = Some(captcha.settings().site_key.clone());
            return Ok(IssuedChallenge { required, kind: self.kind(), site_key, work: None });
        }
        let limited = self.issued.try_acquire(address.into());
        limited.map_err(|(_, state)| IssueError::Limited { retry_after: state.next_in })?;
        let metrics = self.metrics.challenges();
        let busy = || {
            metrics.unavailable("work");
            IssueError::Busy { retry_after: RETRY_AFTER }
        };
        let room = self.work.room();
        if room == 0 {
            return Err(busy());
        }
        let Some(_issuing) = self.issuing.add_within(room, address.into()) else {
            return Err(IssueError::Limited { retry_after: NEXT_IN_LINE });
        };
        let difficulty = difficulty.unwrap_or(Difficulty::Base);
        let work = self.work.challenge(difficulty, self.clock.now()).await;
        let work = Some(work.ok_or_else(busy)?);
        metrics.issued();
        Ok(IssuedChallenge { required, kind: self.kind(), site_key: None, work })
    }

    /// The part of the policy that describes challenges: the same for every client, at any time.
    /// `base_path` precedes the path of the endpoint.
    pub fn info(&self, base_path: &str) -> ChallengeInfo<'_> {
        let captcha = self.captcha.as_ref().map(Captcha::settings);
        ChallengeInfo {
            kinds: [self.kind()],
            endpoint: format!("{base_path}{CHALLENGE_PATH}"),
            site_key: captcha.map(|captcha| &*captcha.site_key),
            action: captcha.and_then(|captcha| captcha.action.as_deref()),
        }
    }

    fn kind(&self) -> &'static str {
        let captcha = self.captcha.as_ref();
        captcha.map_or("proof_of_work", |captcha| captcha.settings().provider.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::abuse::AbuseState;
    use crate::clock::SystemClock;
    use crate::config::{
        AdaptiveSettings, ChallengeSettings, EmailKeySettings, LimitSettings, Required,
        WorkSettings,
    };
    use crate::context::Context;
    use crate::digest::Digests;

    fn challenges() -> Challenges {
        let settings = ChallengeSettings {
            required: Required::Off,
            honeypot: None,
            fill_time: None,
            form_token_required: false,
            without_proof_per_hour: 0,
            adaptive: AdaptiveSettings {
                address_burst: 1,
                address_refill: Duration::from_secs(1),
                attempts_per_minute: 1,
                unsuccessful_percent: 100,
            },
            work: WorkSettings {
                cost: 1_000,
                tries: 2,
                lifetime: Duration::from_mins(1),
                per_minute: 60,
            },
            captcha: None,
        };
        let limits = LimitSettings {
            posts: None,
            address: None,
            email: None,
            with_proof: None,
            service: None,
            failed_captchas: None,
            events: None,
            max_buckets: 10_000,
            exempt: Vec::new(),
            email_key: EmailKeySettings { ignore_plus_tag: true, ignore_dots: Vec::new() },
        };
        let digests = Digests::new(&"k".repeat(32).into(), None);
        let context = Context::new(Arc::new(SystemClock), digests);
        Challenges::new(settings, &limits, &AbuseState::default(), &context).unwrap()
    }

    #[tokio::test]
    async fn a_block_has_a_third_of_the_line_for_challenges() {
        let challenges = challenges();
        let places = challenges.work.room();
        // Nothing is derived before this test waits.
        let mut line = Vec::new();
        let mut ask = |address: IpAddr| {
            let mut waiting = Box::pin(challenges.issue(address));
            let rejected = (&mut waiting).now_or_never();
            if rejected.is_none() {
                line.push(waiting);
            }
            rejected.map(|issued| issued.expect_err("no challenge is ready"))
        };
        let of_a_block = (0..=u8::MAX).map(|last| ask(IpAddr::from([192, 0, 2, last])));
        let rejected: Vec<_> = of_a_block.flatten().collect();
        assert_eq!(places - rejected.len(), places.div_ceil(3));
        assert!(rejected.iter().all(|error| matches!(error, IssueError::Limited { .. })));
        assert!(ask(IpAddr::from([198, 51, 100, 1])).is_none());
        for waiting in line {
            assert!(waiting.await.is_ok());
        }
    }
}
