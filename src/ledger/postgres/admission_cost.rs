//! The admission costs of a batch, as the statement takes them: permits summed by bucket, and the
//! order of arrival of each attempt.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use uuid::Uuid;

use super::read::bytes;
use crate::digest::Digest;
use crate::ledger::NewAttempt;
use crate::ledger::millis::millis;
use crate::limits::{Limit, Rate};

/// The costs of a batch. Buckets and proofs are sorted, so that no two replicas wait for each
/// other.
#[derive(Debug, Default)]
pub(super) struct AdmissionCosts<'b> {
    buckets: BTreeMap<Digest, BucketDemand>,
    proofs: BTreeMap<Digest, Vec<&'b NewAttempt>>,
}

/// The permits requested from one bucket.
#[derive(Debug)]
struct BucketDemand {
    limit: Limit,
    rate: Rate,
    /// The requesting attempts, in the order of arrival.
    attempts: Vec<Uuid>,
}

/// A bucket with fewer permits than requests.
#[derive(Debug)]
pub(super) struct ShortBucket {
    /// The bucket.
    pub(super) bucket: Vec<u8>,
    /// The number of requests without a permit: the last ones.
    pub(super) refused: i64,
    /// The time until which its permits are spent ahead, in microseconds from now.
    pub(super) ahead: i64,
}

/// One attempt's request for a permit: its id, the bucket, and the number of later requests.
pub(super) type PermitRequest = (Uuid, [u8; 32], i64);

impl<'b> AdmissionCosts<'b> {
    /// Collects the costs of these attempts, which are in the order of arrival.
    pub(super) fn from_attempts(attempts: &[&'b NewAttempt]) -> Self {
        let mut costs = Self::default();
        for attempt in attempts {
            for charge in &attempt.admission_cost.charges {
                let demand = costs.buckets.entry(charge.bucket).or_insert_with(|| BucketDemand {
                    limit: charge.limit,
                    rate: charge.rate,
                    attempts: Vec::with_capacity(1),
                });
                demand.attempts.push(*attempt.id.as_uuid());
            }
            if let Some(used) = &attempt.admission_cost.proof {
                costs.proofs.entry(used.proof).or_default().push(attempt);
            }
        }
        costs
    }

    /// Returns whether every attempt is free.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.proofs.is_empty()
    }

    /// Returns whether no attempt uses a proof.
    pub(super) fn is_without_proofs(&self) -> bool {
        self.proofs.is_empty()
    }

    /// `(bucket, permits, microseconds a permit, burst)`, sorted.
    pub(super) fn bucket_demands(&self) -> impl Iterator<Item = ([u8; 32], i64, i64, i64)> {
        self.buckets.iter().map(|(bucket, demand)| {
            let permits = i64::try_from(demand.attempts.len()).unwrap_or(i64::MAX);
            (bytes(bucket), permits, micros(demand.rate.every), demand.rate.burst.into())
        })
    }

    /// The requests by bucket. The last ones to arrive are rejected first.
    pub(super) fn permit_requests(&self) -> impl Iterator<Item = PermitRequest> {
        self.buckets.iter().flat_map(|(bucket, demand)| {
            let later = (0..).zip(demand.attempts.iter().rev());
            later.map(|(later, attempt)| (*attempt, bytes(bucket), later))
        })
    }

    /// `(proof, attempt, expiry in milliseconds)`, sorted.
    pub(super) fn proof_uses(&self) -> impl Iterator<Item = ([u8; 32], Uuid, i64)> {
        self.proofs.iter().flat_map(|(proof, attempts)| {
            attempts.iter().filter_map(|attempt| {
                let expires_at = attempt.admission_cost.proof.as_ref()?.expires_at;
                Some((bytes(proof), *attempt.id.as_uuid(), millis(expires_at)))
            })
        })
    }

    /// Returns the limit that rejected each attempt, and the wait: the longest, if several.
    pub(super) fn rate_limited(&self, short: &[ShortBucket]) -> HashMap<Uuid, (Limit, Duration)> {
        let mut limited = HashMap::new();
        for ShortBucket { bucket, refused, ahead } in short {
            let digest = <[u8; 32]>::try_from(bucket.as_slice()).map(Digest::from_bytes);
            let Some(demand) = digest.ok().and_then(|digest| self.buckets.get(&digest)) else {
                continue;
            };
            let Rate { burst, every } = demand.rate;
            let ahead = Duration::from_micros(u64::try_from(*ahead).unwrap_or_default());
            let wait = (ahead + every).saturating_sub(every.saturating_mul(burst));
            let last = demand.attempts.iter().rev().take(usize::try_from(*refused).unwrap_or(0));
            for attempt in last {
                let entry = limited.entry(*attempt).or_insert((demand.limit, wait));
                if entry.1 < wait {
                    *entry = (demand.limit, wait);
                }
            }
        }
        limited
    }

    /// Returns the attempts whose proof was used before: those with a proof that are not in `used`.
    pub(super) fn with_used_proof(&self, used: &HashSet<Uuid>) -> HashSet<Uuid> {
        let with_proof = self.proofs.values().flatten().map(|attempt| *attempt.id.as_uuid());
        with_proof.filter(|id| !used.contains(id)).collect()
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
            admission_cost: AdmissionCost {
                charges: buckets.iter().map(charge).collect(),
                proof: None,
            },
        }
    }

    #[test]
    fn permits_are_summed_by_bucket_and_the_last_requests_are_refused() {
        let attempts = [attempt(&[2]), attempt(&[1, 2]), attempt(&[2])];
        let costs = AdmissionCosts::from_attempts(&attempts.iter().collect::<Vec<_>>());
        let demands = costs.bucket_demands().map(|(bucket, permits, ..)| (bucket[0], permits));
        assert_eq!(demands.collect::<Vec<_>>(), [(1, 1), (2, 3)]);

        let short = ShortBucket { bucket: vec![2; 32], refused: 2, ahead: 30_000_000 };
        let limited = costs.rate_limited(&[short]);
        let id = |at: usize| *attempts[at].id.as_uuid();
        assert_eq!(limited.len(), 2);
        assert!(!limited.contains_key(&id(0)));
        // Three permits of ten seconds are spent: the next one comes back after ten.
        assert_eq!(limited[&id(1)], (Limit::Address, Duration::from_secs(10)));
        assert!(limited.contains_key(&id(2)));
    }
}
