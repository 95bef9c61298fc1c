//! What `GET /signup/challenge` and the policy tell front ends.

use std::net::IpAddr;
use std::time::Duration;

use altcha::Challenge;
use serde::Serialize;

use super::captcha::Captcha;
use super::challenges::Challenges;
use super::network::Network;
use super::work::Difficulty;
use crate::config::Required;

/// Where the surface gives challenges out.
pub const ENDPOINT: &str = "/signup/challenge";

/// When to ask again where none could be made.
const PAUSE: Duration = Duration::from_secs(5);

/// Whether a challenge is needed now, and one to solve. The widget of ALTCHA takes it as it is.
#[derive(Debug, Serialize)]
pub struct IssuedChallenge {
    required: bool,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site_key: Option<String>,
    #[serde(flatten)]
    work: Option<Challenge>,
}

/// Why there is no offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueError {
    /// This address got too many.
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// So many are asked for that none can be made soon enough.
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// What a front end has to know of challenges, once.
#[derive(Debug, Serialize)]
pub struct ChallengeInfo<'a> {
    kinds: [&'static str; 1],
    endpoint: &'static str,
    site_key: Option<&'a str>,
    /// What the token of a captcha has to be said to be for.
    action: Option<&'a str>,
}

impl Challenges {
    /// What a form of this address has to bring now.
    ///
    /// # Errors
    /// When it asked too often, or none can be made.
    pub async fn offer(&self, address: IpAddr) -> Result<IssuedChallenge, IssueError> {
        let strength = self.strength(address);
        let required = match self.settings.required {
            Required::Off => false,
            Required::Always => true,
            Required::Adaptive => strength.is_some(),
        };
        if let Some(captcha) = &self.captcha {
            let site_key = Some(captcha.settings().site_key.clone());
            return Ok(IssuedChallenge { required, kind: self.kind(), site_key, work: None });
        }
        let limited = self.issued.spend(Network::from(address).bits());
        limited.map_err(|standing| IssueError::Limited { retry_after: standing.more_in })?;
        let strength = strength.unwrap_or(Difficulty::Base);
        let work = self.work.challenge(strength, self.clock.now()).await;
        let metrics = self.metrics.challenges();
        if work.is_none() {
            metrics.unavailable("work");
            return Err(IssueError::Busy { retry_after: PAUSE });
        }
        metrics.issued();
        Ok(IssuedChallenge { required, kind: self.kind(), site_key: None, work })
    }

    /// What the policy tells: the same for everybody and at any time.
    pub fn described(&self) -> ChallengeInfo<'_> {
        let captcha = self.captcha.as_ref().map(Captcha::settings);
        ChallengeInfo {
            kinds: [self.kind()],
            endpoint: ENDPOINT,
            site_key: captcha.map(|captcha| &*captcha.site_key),
            action: captcha.and_then(|captcha| captcha.action.as_deref()),
        }
    }

    fn kind(&self) -> &'static str {
        let captcha = self.captcha.as_ref();
        captcha.map_or("proof_of_work", |captcha| captcha.settings().provider.name())
    }
}
