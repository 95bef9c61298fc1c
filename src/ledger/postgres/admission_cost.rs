//! What the attempts of a batch have to give, as the statement takes it: permits summed by bucket,
//! and each attempt's place in the order of arrival.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use uuid::Uuid;

use super::read::bytes;
use crate::ledger::attempt_row::millis;
use crate::ledger::{Digest, Limit, NewAttempt, Rate};

/// The tolls of a batch. Buckets and proofs are in order, so that no two replicas wait for each
/// other.
#[derive(Debug, Default)]
pub(super) struct AdmissionCosts<'b> {
    buckets: BTreeMap<Digest, Asked>,
    redeeming: BTreeMap<Digest, Vec<&'b NewAttempt>>,
}

/// What is asked of one bucket.
#[derive(Debug)]
struct Asked {
    limit: Limit,
    rate: Rate,
    /// Who asks, in the order of arrival.
    attempts: Vec<Uuid>,
}

/// A bucket that did not have a permit for everyone.
#[derive(Debug)]
pub(super) struct Refused {
    /// Which bucket.
    pub(super) bucket: Vec<u8>,
    /// How many of those who asked, the last ones, got none.
    pub(super) count: i64,
    /// How far its permits are spent ahead, in microseconds.
    pub(super) ahead: i64,
}

/// One attempt that asks one bucket: its id, the bucket, and how many ask it after this one.
pub(super) type Place = (Uuid, [u8; 32], i64);

impl<'b> AdmissionCosts<'b> {
    /// The tolls of these attempts, which are in the order of arrival.
    pub(super) fn of(attempts: &[&'b NewAttempt]) -> Self {
        let mut tolls = Self::default();
        for attempt in attempts {
            for charge in &attempt.toll.charges {
                let asked = tolls.buckets.entry(charge.bucket).or_insert_with(|| Asked {
                    limit: charge.limit,
                    rate: charge.rate,
                    attempts: Vec::with_capacity(1),
                });
                asked.attempts.push(*attempt.id.as_uuid());
            }
            if let Some(redemption) = &attempt.toll.use_proof {
                tolls.redeeming.entry(redemption.proof).or_default().push(attempt);
            }
        }
        tolls
    }

    /// Whether nobody has to give anything.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.redeeming.is_empty()
    }

    /// Whether nobody has to give a proof.
    pub(super) fn is_without_proofs(&self) -> bool {
        self.redeeming.is_empty()
    }

    /// `(bucket, permits, microseconds a permit, burst)`, in order.
    pub(super) fn asked(&self) -> impl Iterator<Item = ([u8; 32], i64, i64, i64)> {
        self.buckets.iter().map(|(bucket, asked)| {
            let permits = i64::try_from(asked.attempts.len()).unwrap_or(i64::MAX);
            (bytes(bucket), permits, micros(asked.rate.every), asked.rate.burst.into())
        })
    }

    /// Who asks which bucket, and how many do so afterwards: the last ones are refused first.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.buckets.iter().flat_map(|(bucket, asked)| {
            let after = (0..).zip(asked.attempts.iter().rev());
            after.map(|(after, attempt)| (*attempt, bytes(bucket), after))
        })
    }

    /// `(proof, attempt, expiry in milliseconds)`, in order.
    pub(super) fn proofs(&self) -> impl Iterator<Item = ([u8; 32], Uuid, i64)> {
        self.redeeming.iter().flat_map(|(proof, attempts)| {
            attempts.iter().filter_map(|attempt| {
                let expires_at = attempt.toll.use_proof.as_ref()?.expires_at;
                Some((bytes(proof), *attempt.id.as_uuid(), millis(expires_at)))
            })
        })
    }

    /// Which limit each refused attempt met, and how long it is to wait: the longest, if several.
    pub(super) fn limited(&self, refused: &[Refused]) -> HashMap<Uuid, (Limit, Duration)> {
        let mut limited = HashMap::new();
        for Refused { bucket, count, ahead } in refused {
            let digest = <[u8; 32]>::try_from(bucket.as_slice()).map(Digest::from_bytes);
            let Some(asked) = digest.ok().and_then(|digest| self.buckets.get(&digest)) else {
                continue;
            };
            let Rate { burst, every } = asked.rate;
            let ahead = Duration::from_micros(u64::try_from(*ahead).unwrap_or_default());
            let wait = (ahead + every).saturating_sub(every.saturating_mul(burst));
            let last = asked.attempts.iter().rev().take(usize::try_from(*count).unwrap_or(0));
            for attempt in last {
                let entry = limited.entry(*attempt).or_insert((asked.limit, wait));
                if entry.1 < wait {
                    *entry = (asked.limit, wait);
                }
            }
        }
        limited
    }

    /// The attempts whose proof was used before: those that give one and are not among the
    /// `redeemed`.
    pub(super) fn redeemed_before(&self, redeemed: &HashSet<Uuid>) -> HashSet<Uuid> {
        let giving = self.redeeming.values().flatten().map(|attempt| *attempt.id.as_uuid());
        giving.filter(|id| !redeemed.contains(id)).collect()
    }
}

/// Whole microseconds, at least one.
fn micros(every: Duration) -> i64 {
    i64::try_from(every.as_micros()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AdmissionCost, AttemptId, PermitCharge, PinnedUserId};

    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    fn bucket(number: u8) -> Digest {
        Digest::from_bytes([number; 32])
    }

    fn attempt(buckets: &[u8]) -> NewAttempt {
        let charge = |number: &u8| PermitCharge {
            limit: Limit::Address,
            bucket: bucket(*number),
            rate: RATE,
        };
        NewAttempt {
            id: AttemptId::new(Duration::ZERO),
            email: bucket(0),
            key: None,
            user_id: PinnedUserId::random(),
            request_id: String::new(),
            terms: None,
            started_at: Duration::ZERO,
            leased_until: Duration::ZERO,
            toll: AdmissionCost { charges: buckets.iter().map(charge).collect(), use_proof: None },
        }
    }

    #[test]
    fn permits_are_summed_by_bucket_and_the_last_to_arrive_are_refused() {
        let attempts = [attempt(&[2]), attempt(&[1, 2]), attempt(&[2])];
        let tolls = AdmissionCosts::of(&attempts.iter().collect::<Vec<_>>());
        let asked: Vec<_> = tolls.asked().map(|(key, permits, ..)| (key[0], permits)).collect();
        assert_eq!(asked, [(1, 1), (2, 3)]);

        let refused = Refused { bucket: vec![2; 32], count: 2, ahead: 30_000_000 };
        let limited = tolls.limited(&[refused]);
        let id = |at: usize| *attempts[at].id.as_uuid();
        assert_eq!(limited.len(), 2);
        assert!(!limited.contains_key(&id(0)));
        // Three permits of ten seconds are spent: the next is back after ten.
        assert_eq!(limited[&id(1)], (Limit::Address, Duration::from_secs(10)));
        assert!(limited.contains_key(&id(2)));
    }
}
