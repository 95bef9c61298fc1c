//! The self-hosted proof of work, in the format that the ALTCHA widget solves.
//!
//! A challenge publishes half of a key. Its solver tries counters until the derived key starts with
//! that half. The other half is signed, so that verifying a solution takes two HMACs and never a
//! run of the key derivation, whatever the solution contains. The ledger remembers used proofs.

mod key_pool;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use altcha::{Challenge, ChallengeParameters, HmacAlgorithm, Payload, VerifySolutionOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use self::key_pool::{KEY, KeyPool};
use super::proof::ProofError;
use crate::config::WorkSettings;
use crate::digest::{Digest, Digests, SubKey, SubKeys, hex};
use crate::ledger::ProofUse;
use crate::lifecycle::Lifecycle;

/// The key derivation: the one that widgets of all versions support.
const ALGORITHM: &str = "PBKDF2/SHA-256";

/// Time that a used proof is remembered after it expires, since replicas' clocks differ.
const SKEW: Duration = Duration::from_mins(5);

/// Length in bytes of the published half of a key.
const PREFIX: usize = KEY / 2;

/// The amount of work of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difficulty {
    /// Without pressure.
    Base,
    /// Four times as much.
    Raised,
    /// Sixteen times as much.
    High,
}

impl Difficulty {
    /// Every difficulty, the least first.
    pub(super) const ALL: [Self; 3] = [Self::Base, Self::Raised, Self::High];

    /// The name in the signed part of a challenge. The least difficulty has none.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Base => None,
            Self::Raised => Some("raised"),
            Self::High => Some("high"),
        }
    }

    /// The amount of work, as a multiple of the least.
    const fn factor(self) -> u32 {
        match self {
            Self::Base => 1,
            Self::Raised => 4,
            Self::High => 16,
        }
    }
}

/// Makes challenges and verifies their solutions.
#[derive(Debug)]
pub(super) struct ProofOfWork {
    current: SigningKeys,
    previous: Option<SigningKeys>,
    cost: NonZeroU32,
    lifetime: Duration,
    pool: KeyPool,
}

/// The two secrets of the format, which takes them as text. Never empty: an empty key would let
/// anybody sign.
#[derive(Debug)]
struct SigningKeys {
    challenge: SecretString,
    solution: SecretString,
}

impl ProofOfWork {
    /// Challenges that are signed with the secret of this deployment.
    pub(super) fn new(settings: &WorkSettings, digests: &Digests, lifecycle: &Lifecycle) -> Self {
        let SubKeys { current, previous } = digests.sub_keys("proof of work v1");
        let cost = NonZeroU32::new(settings.cost).unwrap_or(NonZeroU32::MIN);
        Self {
            current: SigningKeys::new(&current),
            previous: previous.as_ref().map(SigningKeys::new),
            cost,
            lifetime: settings.lifetime,
            pool: KeyPool::new(cost, settings.tries, lifecycle),
        }
    }

    /// The number of further requests that may wait for a challenge.
    pub(super) fn room(&self) -> usize {
        self.pool.room()
    }

    /// Makes a challenge that is valid from now on; `None` if no key is ready soon enough, or too many
    /// requests wait for one.
    pub(super) async fn challenge(
        &self,
        difficulty: Difficulty,
        now: Duration,
    ) -> Option<Challenge> {
        let derived = self.pool.take(difficulty).await?;
        let expires_at = (now + self.lifetime).as_secs();
        let mut parameters = ChallengeParameters {
            algorithm: ALGORITHM.to_owned(),
            cost: self.cost.get(),
            data: Some(purpose(difficulty)),
            expires_at: i64::try_from(expires_at).ok(),
            key_length: KEY,
            key_prefix: hex(derived.key.first_chunk::<PREFIX>()?),
            key_signature: None,
            memory_cost: None,
            nonce: hex(&derived.nonce),
            parallelism: None,
            salt: hex(&derived.salt),
        };
        altcha::sign_challenge(
            &HmacAlgorithm::Sha256,
            &mut parameters,
            Some(&derived.key),
            self.current.challenge.expose_secret(),
            Some(self.current.solution.expose_secret()),
        )
        .ok()
    }

    /// Verifies a proof: base64 of a challenge that this deployment issued, and its solution. It has
    /// to be of the difficulty that its sender owes now, no matter who requested the challenge, and when.
    ///
    /// # Errors
    /// The reason why it is not valid.
    pub(super) fn verify(
        &self,
        proof: &str,
        owed: Difficulty,
        now: Duration,
    ) -> Result<ProofUse, ProofError> {
        let bytes = STANDARD.decode(proof).map_err(|_| ProofError::Malformed)?;
        let payload: Payload = serde_json::from_slice(&bytes).map_err(|_| ProofError::Malformed)?;
        let parameters = &payload.challenge.parameters;
        let data = parameters.data.as_ref();
        let mut known = Difficulty::ALL.into_iter();
        let difficulty = known.find(|difficulty| data == Some(&purpose(*difficulty)));
        // Checked before any signature: a challenge that was never issued is not worth a digest,
        // and without a signed key `altcha` would derive the key here.
        let signed = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() == 64);
        let issued_here = parameters.algorithm == ALGORITHM
            && parameters.key_length == KEY
            && parameters.memory_cost.is_none()
            && parameters.parallelism.is_none()
            && signed(&parameters.key_signature)
            && signed(&payload.challenge.signature);
        let Some(difficulty) = difficulty.filter(|_| issued_here) else {
            return Err(ProofError::Forged);
        };
        let expires_at = parameters.expires_at.and_then(|at| u64::try_from(at).ok());
        let expires_at = Duration::from_secs(expires_at.ok_or(ProofError::Forged)?);
        let mut verified = self.current.verify(&payload);
        if let (Err(ProofError::Forged), Some(previous)) = (verified, &self.previous) {
            verified = previous.verify(&payload);
        }
        verified?;
        if expires_at <= now {
            return Err(ProofError::Expired);
        }
        if difficulty < owed {
            return Err(ProofError::TooEasy);
        }
        // Only the signature: the rest of a proof can be written in many ways.
        let signature = payload.challenge.signature.as_deref().and_then(Digest::from_hex);
        let lasts = (expires_at + SKEW).saturating_sub(now);
        Ok(ProofUse { proof: signature.ok_or(ProofError::Forged)?, lasts })
    }
}

impl SigningKeys {
    fn new(key: &SubKey) -> Self {
        let secret = |label: &str| hex(key.digest([label.as_bytes()]).as_bytes()).into();
        Self { challenge: secret("challenge"), solution: secret("solution") }
    }

    fn verify(&self, payload: &Payload) -> Result<(), ProofError> {
        let verified = altcha::verify_solution(VerifySolutionOptions {
            hmac_key_signature_secret: Some(self.solution.expose_secret().to_owned()),
            ..VerifySolutionOptions::new(
                &payload.challenge,
                &payload.solution,
                self.challenge.expose_secret(),
            )
        });
        match verified {
            Ok(result) if result.verified => Ok(()),
            Ok(result) if result.expired => Err(ProofError::Expired),
            Ok(result) if result.invalid_signature == Some(false) => Err(ProofError::Wrong),
            Ok(_) | Err(_) => Err(ProofError::Forged),
        }
    }
}

/// The purpose and the difficulty of a challenge, in its signed part: a signature for another use is
/// not accepted here.
fn purpose(difficulty: Difficulty) -> BTreeMap<String, Value> {
    let level = difficulty.name().map(|name| ("level", name));
    let members = [("use", "signup")].into_iter().chain(level);
    members.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

#[cfg(test)]
mod tests;
