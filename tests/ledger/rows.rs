//! Attempts to write down.

use std::time::Duration;

use auth0_signup::ledger::{
    AdmissionCost, AttemptId, Basis, BeginResult, Digest, DigestPair, FinishAttempt, NewAttempt,
    NewKey, PinnedUserId, Resolution,
};

use crate::backend::NOW;

/// How long a key lives.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// How long an attempt is its process's own.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A digest that is like no other number's.
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
        toll: AdmissionCost::default(),
    }
}

/// An attempt with this key, bound to something.
pub(crate) fn keyed(number: u32, at: Duration) -> NewAttempt {
    let key = NewKey { key: key(number), binding: digest(1_000), expires_at: at + DAY };
    NewAttempt { key: Some(key), ..keyless(at) }
}

pub(crate) fn finish(
    id: AttemptId,
    verdict: Resolution,
    outcome_code: &'static str,
) -> FinishAttempt {
    let finished_at = NOW + Duration::from_millis(456);
    let auth0_request_id = Some("auth0-request".to_owned());
    FinishAttempt {
        id,
        verdict,
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

/// The id of the attempt that holds the key.
pub(crate) fn known(begun: &BeginResult) -> Option<AttemptId> {
    match begun {
        BeginResult::Started | BeginResult::RateLimited { .. } | BeginResult::ProofAlreadyUsed => {
            None
        }
        BeginResult::Existing(attempt) => Some(attempt.id),
    }
}
