//! What an attempt has to give in the write that begins it: a proof on both databases, permits on
//! the one that replicas share.

use std::sync::Arc;
use std::time::Duration;

use auth0_signup::ledger::{
    AdmissionCost, BeginResult, Find, Ledger, Limit, NewAttempt, PermitCharge, ProofUse, Rate,
};
use futures_util::future::join_all;

use crate::backend::{Backend, NOW, admin_in};
use crate::rows::{digest, keyed, keyless, known};

/// Slow enough that no permit comes back while a test runs.
const SLOW: Rate = Rate { burst: 5, every: Duration::from_hours(1) };

fn proven(proof: u32) -> NewAttempt {
    let use_proof =
        Some(ProofUse { proof: digest(proof), expires_at: NOW + Duration::from_mins(5) });
    NewAttempt { toll: AdmissionCost { use_proof, ..AdmissionCost::default() }, ..keyless(NOW) }
}

fn charged(limit: Limit, bucket: u32, rate: Rate) -> NewAttempt {
    let charges = vec![PermitCharge { limit, bucket: digest(bucket), rate }];
    NewAttempt { toll: AdmissionCost { charges, use_proof: None }, ..keyless(NOW) }
}

async fn count(ledger: &Arc<dyn Ledger>) -> usize {
    ledger.find(Find::All, 10_000).await.unwrap().len()
}

fn new(begun: &[BeginResult]) -> usize {
    begun.iter().filter(|begun| **begun == BeginResult::Started).count()
}

async fn a_proof_is_good_for_one_attempt(backend: Backend) {
    let ledger = backend.open().await;
    let begun = join_all((0..50).map(|_| ledger.begin(proven(1))));
    let begun: Vec<_> = begun.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(new(&begun), 1);
    assert!(
        begun
            .iter()
            .all(|begun| matches!(begun, BeginResult::Started | BeginResult::ProofAlreadyUsed))
    );
    assert_eq!(ledger.begin(proven(1)).await.unwrap(), BeginResult::ProofAlreadyUsed);
    assert_eq!(ledger.begin(proven(2)).await.unwrap(), BeginResult::Started);
    assert_eq!(count(&ledger).await, 2);
}

async fn a_repeated_request_is_known_by_its_key_and_not_by_its_proof(backend: Backend) {
    let ledger = backend.open().await;
    let first = NewAttempt { toll: proven(1).toll, ..keyed(1, NOW) };
    assert_eq!(ledger.begin(first.clone()).await.unwrap(), BeginResult::Started);
    let again = NewAttempt { toll: proven(1).toll, ..keyed(1, NOW) };
    assert_eq!(known(&ledger.begin(again).await.unwrap()), Some(first.id));
}

async fn a_proof_is_remembered_until_it_expires(backend: Backend) {
    let ledger = backend.open().await;
    ledger.begin(proven(1)).await.unwrap();
    let keep = Duration::from_hours(1);
    let early = ledger.sweep(NOW + Duration::from_mins(4), keep, 10).await.unwrap();
    assert_eq!(early.proofs, 0);
    assert_eq!(ledger.begin(proven(1)).await.unwrap(), BeginResult::ProofAlreadyUsed);
    let late = ledger.sweep(NOW + Duration::from_mins(5), keep, 10).await.unwrap();
    assert_eq!(late.proofs, 1);
    assert_eq!(ledger.begin(proven(1)).await.unwrap(), BeginResult::Started);
}

mod sqlite {
    use super::{Backend, BeginResult, Limit, Rate, SLOW, charged};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proof_is_good_for_one_attempt() {
        super::a_proof_is_good_for_one_attempt(Backend::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_repeated_request_is_known_by_its_key_and_not_by_its_proof() {
        super::a_repeated_request_is_known_by_its_key_and_not_by_its_proof(Backend::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proof_is_remembered_until_it_expires() {
        super::a_proof_is_remembered_until_it_expires(Backend::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn limits_are_left_to_the_one_process() {
        let ledger = Backend::sqlite().open().await;
        let once = Rate { burst: 1, ..SLOW };
        for _ in 0..2 {
            let begun = ledger.begin(charged(Limit::Email, 1, once)).await.unwrap();
            assert_eq!(begun, BeginResult::Started);
        }
    }
}

mod postgres {
    use super::{
        AdmissionCost, Arc, Backend, BeginResult, Duration, Limit, NewAttempt, PermitCharge, Rate,
        SLOW, admin_in, charged, count, digest, join_all, keyless, new, proven,
    };
    use crate::backend::NOW;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proof_is_good_for_one_attempt() {
        super::a_proof_is_good_for_one_attempt(Backend::postgres().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_repeated_request_is_known_by_its_key_and_not_by_its_proof() {
        let backend = Backend::postgres().await;
        super::a_repeated_request_is_known_by_its_key_and_not_by_its_proof(backend).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proof_is_remembered_until_it_expires() {
        super::a_proof_is_remembered_until_it_expires(Backend::postgres().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn replicas_share_a_bucket_exactly() {
        let backend = Backend::postgres().await;
        let replicas = [backend.open().await, backend.open().await];
        let tasks = (0..40).map(|number| {
            let ledger = Arc::clone(&replicas[number % 2]);
            tokio::spawn(
                async move { ledger.begin(charged(Limit::Address, 1, SLOW)).await.unwrap() },
            )
        });
        let begun: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(new(&begun), 5);
        // A refused attempt is not written.
        assert_eq!(count(&replicas[0]).await, 5);
        for begun in begun {
            if let BeginResult::RateLimited { limit, retry_after } = begun {
                assert_eq!(limit, Limit::Address);
                let wait = Duration::from_mins(59)..=Duration::from_hours(1);
                assert!(wait.contains(&retry_after), "{retry_after:?}");
            }
        }
        let other = replicas[1].begin(charged(Limit::Address, 2, SLOW)).await.unwrap();
        assert_eq!(other, BeginResult::Started);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_a_batch_those_who_came_first_get_what_is_left() {
        let mut backend = Backend::postgres().await;
        // Two connections could overtake each other between two batches.
        backend.settings.writers = 1;
        let ledger = backend.open().await;
        let begun = join_all((0..200).map(|_| ledger.begin(charged(Limit::Email, 1, SLOW)))).await;
        let begun: Vec<_> = begun.into_iter().map(Result::unwrap).collect();
        assert_eq!((new(&begun), new(&begun[..5])), (5, 5));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn permits_come_back_at_the_rate() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        let rate = Rate { burst: 2, every: Duration::from_millis(300) };
        let begin = async || ledger.begin(charged(Limit::Email, 1, rate)).await.unwrap();
        assert_eq!([begin().await, begin().await], [BeginResult::Started, BeginResult::Started]);
        let BeginResult::RateLimited { retry_after, .. } = begin().await else {
            panic!("not limited")
        };
        assert!(retry_after <= rate.every, "{retry_after:?}");
        tokio::time::sleep(retry_after + Duration::from_millis(1)).await;
        assert_eq!(begin().await, BeginResult::Started);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_attempt_refused_by_a_limit_keeps_its_proof() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        let once = Rate { burst: 1, ..SLOW };
        ledger.begin(charged(Limit::WithProof, 1, once)).await.unwrap();
        let both = AdmissionCost {
            use_proof: proven(1).toll.use_proof,
            ..charged(Limit::WithProof, 1, once).toll
        };
        let refused = NewAttempt { toll: both, ..keyless(NOW) };
        let refused = ledger.begin(refused).await.unwrap();
        assert!(
            matches!(refused, BeginResult::RateLimited { limit: Limit::WithProof, .. }),
            "{refused:?}"
        );
        assert_eq!(ledger.begin(proven(1)).await.unwrap(), BeginResult::Started);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_longest_wait_of_several_limits_is_told() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        let charge = |limit, bucket, minutes| PermitCharge {
            limit,
            bucket: digest(bucket),
            rate: Rate { burst: 1, every: Duration::from_mins(minutes) },
        };
        let charges = vec![charge(Limit::Address, 1, 1), charge(Limit::Email, 2, 10)];
        let attempt = || NewAttempt {
            toll: AdmissionCost { charges: charges.clone(), use_proof: None },
            ..keyless(NOW)
        };
        assert_eq!(ledger.begin(attempt()).await.unwrap(), BeginResult::Started);
        let refused = ledger.begin(attempt()).await.unwrap();
        assert!(
            matches!(refused, BeginResult::RateLimited { limit: Limit::Email, .. }),
            "{refused:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_servers_clock_that_was_put_back_closes_nobody_out() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        let rate = Rate { burst: 2, every: Duration::from_millis(200) };
        ledger.begin(charged(Limit::Email, 1, rate)).await.unwrap();
        admin_in(&backend, "UPDATE limits SET tat = tat + 3600000000").await;
        let BeginResult::RateLimited { retry_after, .. } =
            ledger.begin(charged(Limit::Email, 1, rate)).await.unwrap()
        else {
            panic!("a bucket that is spent ahead has permits")
        };
        assert!(retry_after <= rate.every, "{retry_after:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_their_table_the_limits_give_way() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        admin_in(&backend, "DROP TABLE limits").await;
        for _ in 0..6 {
            let begun = ledger.begin(charged(Limit::Email, 1, SLOW)).await.unwrap();
            assert_eq!(begun, BeginResult::Started);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn buckets_that_are_full_again_are_swept() {
        let backend = Backend::postgres().await;
        let ledger = backend.open().await;
        let quick = Rate { burst: 1, every: Duration::from_millis(1) };
        for bucket in 0..3 {
            ledger.begin(charged(Limit::Email, bucket, quick)).await.unwrap();
        }
        ledger.begin(charged(Limit::Email, 9, SLOW)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let swept = ledger.sweep(NOW, Duration::from_hours(1), 2).await.unwrap();
        assert_eq!(swept.buckets, 2);
        let swept = ledger.sweep(NOW, Duration::from_hours(1), 2).await.unwrap();
        assert_eq!(swept.buckets, 1);
    }
}
