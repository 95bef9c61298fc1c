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
        limited.map_err(|state| IssueError::Limited { retry_after: state.next_in })?;
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
