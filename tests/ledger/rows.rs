//! Attempts and resolutions to record.

use std::time::Duration;

use auth0_signup::digest::{Digest, DigestPair};
use auth0_signup::ledger::{
    AdmissionCost, AttemptId, Basis, BeginResult, FinishAttempt, NewAttempt, NewKey, PinnedUserId,
    Resolution,
};

use crate::backend::NOW;

/// The lifetime of a key.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// The first lease of an attempt, held by its own process.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A digest that differs for each number.
pub(crate) fn digest(number: u32) -> Digest {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Digest::from_bytes(bytes)
}

pub(crate) fn key(number: u32) -> DigestPair {
    DigestPair { current: digest(number), previous: None }
}

/// An attempt without a key.
pub(crate) fn keyless(at: Duration) -> NewAttempt {
    NewAttempt {
        id: AttemptId::new(at),
        email: digest(1),
        key: None,
        user_id: PinnedUserId::random(),
        request_id: "request-1".to_owned(),
        terms: None,
        started_at: at,
        leased_until: at + DEADLINE,
        admission_cost: AdmissionCost::default(),
    }
}

/// An attempt with this key and a fixed binding.
pub(crate) fn keyed(number: u32, at: Duration) -> NewAttempt {
    let key = NewKey { key: key(number), binding: digest(1_000), expires_at: at + DAY };
    NewAttempt { key: Some(key), ..keyless(at) }
}

pub(crate) fn finish(
    id: AttemptId,
    resolution: Resolution,
    outcome_code: &'static str,
) -> FinishAttempt {
    let finished_at = NOW + Duration::from_millis(456);
    let auth0_request_id = Some("auth0-request".to_owned());
    FinishAttempt {
        id,
        resolution,
        outcome_code,
        auth0_request_id,
        finished_at,
        basis: Basis::Observed,
    }
}

pub(crate) fn created(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::Created { user_id: None }, "created")
}

pub(crate) fn not_created(id: AttemptId) -> FinishAttempt {
    finish(id, Resolution::NotCreated, "upstream_busy")
}

/// The id of the attempt that already holds the key.
pub(crate) fn existing(result: &BeginResult) -> Option<AttemptId> {
    match result {
        BeginResult::Started | BeginResult::RateLimited { .. } | BeginResult::ProofAlreadyUsed => {
            None
        }
        BeginResult::Existing(attempt) => Some(attempt.id),
    }
}
