//! The admission cost, taken in the write that starts an attempt: a proof on both databases, permits on
//! the one that replicas share.

use std::sync::Arc;
use std::time::Duration;

use auth0_signup::ledger::{AdmissionCost, BeginResult, Find, Ledger, NewAttempt, PermitCharge};
use auth0_signup::limits::{Limit, Rate};
use futures_util::future::join_all;

use crate::backend::{Backend, NOW};
use crate::rows::{SLOW, digest, existing, kept_for, keyed, unique, with_permit, with_proof};

on_both! {
    a_proof_is_valid_for_one_attempt,
    a_repeated_request_is_recognised_by_its_key_not_its_proof,
    a_proof_is_remembered_until_it_expires,
}

async fn count(ledger: &Arc<dyn Ledger>) -> usize {
    ledger.find(Find::All, 10_000).await.unwrap().len()
}

fn started(results: &[BeginResult]) -> usize {
    results.iter().filter(|result| **result == BeginResult::Started).count()
}

async fn a_proof_is_valid_for_one_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let results = join_all((0..50).map(|_| ledger.begin(with_proof(1))));
    let results: Vec<_> = results.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(started(&results), 1);
    assert!(
        results
            .iter()
            .all(|result| matches!(result, BeginResult::Started | BeginResult::ProofAlreadyUsed))
    );
    assert_eq!(ledger.begin(with_proof(1)).await.unwrap(), BeginResult::ProofAlreadyUsed);
    assert_eq!(ledger.begin(with_proof(2)).await.unwrap(), BeginResult::Started);
    assert_eq!(count(&ledger).await, 2);
}

async fn a_repeated_request_is_recognised_by_its_key_not_its_proof(backend: Backend) {
    let ledger = backend.open().await;
    let first = NewAttempt { admission_cost: with_proof(1).admission_cost, ..keyed(1, NOW) };
    assert_eq!(ledger.begin(first.clone()).await.unwrap(), BeginResult::Started);
    for proof in [1, 2] {
        let again =
            NewAttempt { admission_cost: with_proof(proof).admission_cost, ..keyed(1, NOW) };
        assert_eq!(existing(&ledger.begin(again).await.unwrap()), Some(first.id));
    }
    // The second proof is still unused.
    assert_eq!(ledger.begin(with_proof(2)).await.unwrap(), BeginResult::Started);
}

async fn a_proof_is_remembered_until_it_expires(backend: Backend) {
    let ledger = backend.open().await;
    ledger.begin(with_proof(1)).await.unwrap();
    let keep = Duration::from_hours(1);
    backend.set_time(NOW + Duration::from_mins(4)).await;
    let early = ledger.sweep(kept_for(keep), 10).await.unwrap();
    assert_eq!(early.proofs, 0);
    assert_eq!(ledger.begin(with_proof(1)).await.unwrap(), BeginResult::ProofAlreadyUsed);
    backend.set_time(NOW + Duration::from_mins(5)).await;
    let late = ledger.sweep(kept_for(keep), 10).await.unwrap();
    assert_eq!(late.proofs, 1);
    assert_eq!(ledger.begin(with_proof(1)).await.unwrap(), BeginResult::Started);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_ignores_permit_charges() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let once = Rate { burst: 1, ..SLOW };
    for _ in 0..2 {
        let result = ledger.begin(with_permit(Limit::Email, 1, once)).await.unwrap();
        assert_eq!(result, BeginResult::Started);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_a_bucket_exactly() {
    let backend = Backend::postgres().await;
    let replicas = [backend.open().await, backend.open().await];
    let tasks = (0..40).map(|number| {
        let ledger = Arc::clone(&replicas[number % 2]);
        tokio::spawn(
            async move { ledger.begin(with_permit(Limit::Address, 1, SLOW)).await.unwrap() },
        )
    });
    let results: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(started(&results), 5);
    // A rejected attempt is not recorded.
    assert_eq!(count(&replicas[0]).await, 5);
    for result in results {
        if let BeginResult::RateLimited { limit, retry_after } = result {
            assert_eq!(limit, Limit::Address);
            let wait = Duration::from_mins(59)..=Duration::from_hours(1);
            assert!(wait.contains(&retry_after), "{retry_after:?}");
        }
    }
    let other = replicas[1].begin(with_permit(Limit::Address, 2, SLOW)).await.unwrap();
    assert_eq!(other, BeginResult::Started);
}

#[tokio::test(flavor = "multi_thread")]
async fn permits_come_back_at_the_rate() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let rate = Rate { burst: 2, ..SLOW };
    let begin = async || ledger.begin(with_permit(Limit::Email, 1, rate)).await.unwrap();
    assert_eq!([begin().await, begin().await], [BeginResult::Started, BeginResult::Started]);
    let BeginResult::RateLimited { retry_after, .. } = begin().await else { panic!("not limited") };
    assert!(retry_after <= rate.every, "{retry_after:?}");
    // The bucket as it will be after that time.
    let micros = retry_after.as_micros();
    backend.execute(&format!("UPDATE limits SET tat = tat - {micros}")).await;
    assert_eq!(begin().await, BeginResult::Started);
    assert!(matches!(begin().await, BeginResult::RateLimited { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limited_attempt_keeps_its_proof() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let once = Rate { burst: 1, ..SLOW };
    ledger.begin(with_permit(Limit::WithProof, 1, once)).await.unwrap();
    let both = AdmissionCost {
        proof: with_proof(1).admission_cost.proof,
        ..with_permit(Limit::WithProof, 1, once).admission_cost
    };
    let rejected = NewAttempt { admission_cost: both, ..unique(NOW) };
    let rejected = ledger.begin(rejected).await.unwrap();
    assert!(
        matches!(rejected, BeginResult::RateLimited { limit: Limit::WithProof, .. }),
        "{rejected:?}"
    );
    assert_eq!(ledger.begin(with_proof(1)).await.unwrap(), BeginResult::Started);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_wait_of_several_limits_is_reported() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let charge = |limit, bucket, minutes| PermitCharge {
        limit,
        bucket: digest(bucket),
        rate: Rate { burst: 1, every: Duration::from_mins(minutes) },
    };
    let charges = vec![charge(Limit::Address, 1, 1), charge(Limit::Email, 2, 10)];
    let attempt = || NewAttempt {
        admission_cost: AdmissionCost { charges: charges.clone(), proof: None },
        ..unique(NOW)
    };
    assert_eq!(ledger.begin(attempt()).await.unwrap(), BeginResult::Started);
    let rejected = ledger.begin(attempt()).await.unwrap();
    assert!(
        matches!(rejected, BeginResult::RateLimited { limit: Limit::Email, .. }),
        "{rejected:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_clock_that_was_put_back_locks_nobody_out() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let rate = Rate { burst: 2, ..SLOW };
    let begin = async || ledger.begin(with_permit(Limit::Email, 1, rate)).await.unwrap();
    assert_eq!(begin().await, BeginResult::Started);
    backend.execute("UPDATE limits SET tat = tat + 36000000000").await;
    // The bucket counts as empty, and this permit records that.
    assert_eq!(begin().await, BeginResult::Started);
    let BeginResult::RateLimited { retry_after, .. } = begin().await else { panic!("not limited") };
    assert!(retry_after <= rate.every, "{retry_after:?}");
    let micros = retry_after.as_micros();
    backend.execute(&format!("UPDATE limits SET tat = tat - {micros}")).await;
    assert_eq!(begin().await, BeginResult::Started);
    assert!(matches!(begin().await, BeginResult::RateLimited { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_counts_at_once() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let begin = async |rate| ledger.begin(with_permit(Limit::Email, 1, rate)).await.unwrap();
    for _ in 0..SLOW.burst {
        assert_eq!(begin(SLOW).await, BeginResult::Started);
    }
    assert!(matches!(begin(SLOW).await, BeginResult::RateLimited { .. }));
    // Even a whole burst at this rate takes less time than the permits that were taken.
    let raised = Rate { burst: 4, every: Duration::from_mins(10) };
    assert_eq!(begin(raised).await, BeginResult::Started);
    let BeginResult::RateLimited { retry_after, .. } = begin(raised).await else {
        panic!("a raised limit forgives one permit")
    };
    let wait = Duration::from_mins(9)..=raised.every;
    assert!(wait.contains(&retry_after), "{retry_after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_count_twice_forgive_no_others() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let begin = async |rate| ledger.begin(with_permit(Limit::Email, 1, rate)).await.unwrap();
    for burst in [1, 2, 3, 5] {
        backend.execute("DELETE FROM limits").await;
        let rate = Rate { burst, ..SLOW };
        for _ in 0..burst {
            assert_eq!(begin(rate).await, BeginResult::Started);
        }
        for rate in [rate, rate.halved(), rate, rate.halved(), rate] {
            let limited = begin(rate).await;
            assert!(matches!(limited, BeginResult::RateLimited { .. }), "{burst}: {limited:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_their_table_the_shared_limits_are_skipped() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    backend.execute("DROP TABLE limits").await;
    for _ in 0..6 {
        let result = ledger.begin(with_permit(Limit::Email, 1, SLOW)).await.unwrap();
        assert_eq!(result, BeginResult::Started);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_are_full_again_are_swept() {
    let backend = Backend::postgres().await;
    let ledger = backend.open().await;
    let quick = Rate { burst: 1, every: Duration::from_millis(1) };
    for bucket in 0..3 {
        ledger.begin(with_permit(Limit::Email, bucket, quick)).await.unwrap();
    }
    ledger.begin(with_permit(Limit::Email, 9, SLOW)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let swept = ledger.sweep(kept_for(Duration::from_hours(1)), 2).await.unwrap();
    assert_eq!(swept.buckets, 2);
    let swept = ledger.sweep(kept_for(Duration::from_hours(1)), 2).await.unwrap();
    assert_eq!(swept.buckets, 1);
}
