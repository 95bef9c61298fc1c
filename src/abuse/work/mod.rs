//! The self-hosted proof of work, in the format that the ALTCHA widget solves.
//!
//! A challenge publishes half of a key; its solver tries counters until the derived key begins with
//! that half. The other half is signed, so that judging an answer takes two HMACs and never a run
//! of the key derivation, whatever an answer says. What was proved once is for the ledger to know.

mod key_pool;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use altcha::{Challenge, ChallengeParameters, HmacAlgorithm, Payload, VerifySolutionOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use self::key_pool::{KEY, KeyPool};
use super::proof::ProofFault;
use crate::config::WorkSettings;
use crate::ledger::{Digest, Digests, ProofUse, SubKey};
use crate::lifecycle::Lifecycle;

/// The key derivation. Widgets of every version agree on this one.
const ALGORITHM: &str = "PBKDF2/SHA-256";

/// The most bytes of an answer. A widget's has some 600.
const MAX_ANSWER: usize = 8 * 1024;

/// How much longer than it is valid a proof is remembered as used: replicas' clocks differ.
const SKEW: Duration = Duration::from_mins(5);

/// What is published of the key.
const PREFIX: usize = KEY / 2;

/// How much work a challenge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difficulty {
    /// In calm.
    Base,
    /// Four times as much.
    Raised,
    /// Sixteen times as much.
    High,
}

impl Difficulty {
    /// Every strength, the least first.
    pub(super) const ALL: [Self; 3] = [Self::Base, Self::Raised, Self::High];

    const fn factor(self) -> u32 {
        match self {
            Self::Base => 1,
            Self::Raised => 4,
            Self::High => 16,
        }
    }
}

/// Makes challenges and judges their answers.
#[derive(Debug)]
pub(super) struct ProofOfWork {
    current: Keys,
    previous: Option<Keys>,
    cost: NonZeroU32,
    lifetime: Duration,
    stock: KeyPool,
}

/// The two secrets of the format, as it takes them: text. Never empty, which would let anybody sign.
#[derive(Debug)]
struct Keys {
    challenge: SecretString,
    solution: SecretString,
}

impl ProofOfWork {
    /// Challenges under the secret of this deployment.
    pub(super) fn start(settings: &WorkSettings, digests: &Digests, lifecycle: &Lifecycle) -> Self {
        let (key, previous) = digests.sub_keys("proof of work v1");
        let cost = NonZeroU32::new(settings.cost).unwrap_or(NonZeroU32::MIN);
        let tries = |strength: Difficulty| {
            let most = settings.tries.saturating_mul(strength.factor());
            most.div_ceil(2)..=most
        };
        Self {
            current: Keys::new(&key),
            previous: previous.as_ref().map(Keys::new),
            cost,
            lifetime: settings.lifetime,
            stock: KeyPool::start(cost, tries, lifecycle),
        }
    }

    /// A challenge from now on; `None` when none can be had soon enough.
    pub(super) async fn challenge(&self, strength: Difficulty, now: Duration) -> Option<Challenge> {
        let derived = self.stock.take(strength).await?;
        let expires_at = (now + self.lifetime).as_secs();
        let mut parameters = ChallengeParameters {
            algorithm: ALGORITHM.to_owned(),
            cost: self.cost.get(),
            data: Some(purpose()),
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

    /// Judges an answer: base64 of a challenge of ours and its solution.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn judge(&self, answer: &str, now: Duration) -> Result<ProofUse, ProofFault> {
        if answer.len() > MAX_ANSWER {
            return Err(ProofFault::Malformed);
        }
        let bytes = STANDARD.decode(answer).map_err(|_| ProofFault::Malformed)?;
        let payload: Payload = serde_json::from_slice(&bytes).map_err(|_| ProofFault::Malformed)?;
        let parameters = &payload.challenge.parameters;
        // Before any signature: what was never issued is not worth a digest, and a challenge whose
        // key is not signed would have the key derived here.
        let signed = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() == 64);
        let ours = parameters.algorithm == ALGORITHM
            && parameters.key_length == KEY
            && parameters.memory_cost.is_none()
            && parameters.parallelism.is_none()
            && parameters.data.as_ref() == Some(&purpose())
            && signed(&parameters.key_signature)
            && signed(&payload.challenge.signature);
        if !ours {
            return Err(ProofFault::Forged);
        }
        let expires_at = parameters.expires_at.and_then(|at| u64::try_from(at).ok());
        let expires_at = Duration::from_secs(expires_at.ok_or(ProofFault::Forged)?);
        let mut verdict = self.current.verify(&payload);
        if let (Err(ProofFault::Forged), Some(previous)) = (verdict, &self.previous) {
            verdict = previous.verify(&payload);
        }
        verdict?;
        if expires_at <= now {
            return Err(ProofFault::Expired);
        }
        // The signature alone: what else is in the answer can be written in many ways.
        let signature = payload.challenge.signature.as_deref().and_then(digest);
        let expires_at = expires_at + SKEW;
        Ok(ProofUse { proof: signature.ok_or(ProofFault::Forged)?, expires_at })
    }
}

impl Keys {
    fn new(key: &SubKey) -> Self {
        let secret = |label: &str| hex(key.digest([label.as_bytes()]).as_bytes()).into();
        Self { challenge: secret("challenge"), solution: secret("solution") }
    }

    fn verify(&self, payload: &Payload) -> Result<(), ProofFault> {
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
            Ok(result) if result.expired => Err(ProofFault::Expired),
            Ok(result) if result.invalid_signature == Some(false) => Err(ProofFault::Wrong),
            Ok(_) | Err(_) => Err(ProofFault::Forged),
        }
    }
}

/// What a challenge is good for, in its signed part: nothing signed for another use passes here.
fn purpose() -> BTreeMap<String, Value> {
    BTreeMap::from([("use".to_owned(), Value::from("signup"))])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "{written:?}");
    }
    text
}

/// The digest that this text is, in hex.
fn digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(Digest::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
