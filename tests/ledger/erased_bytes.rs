//! The bytes of the files: nothing of what was deleted is left in any of them.

use std::fs;
use std::path::Path;

use auth0_signup::digest::{Digest, DigestPair};
use auth0_signup::domain::UserId;
use auth0_signup::ledger::{BeginResult, NewAttempt, ProofUse, Resolution};

use crate::backend::{Backend, NOW};
use crate::rows::{DAY, begin, digest, finish, kept_for, keyed, proof_only, unique};

/// Every file in the folder of the ledger, and its content.
fn files(backend: &Backend) -> Vec<(String, Vec<u8>)> {
    let folder = backend.folder().join("new");
    let files = fs::read_dir(Path::new(&folder)).unwrap();
    files
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        })
        .collect()
}

/// The names of the traces that are in some file, with the file.
fn found(backend: &Backend, traces: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, content) in files(backend) {
        for (name, trace) in traces {
            if content.windows(trace.len()).any(|window| window == trace) {
                found.push(format!("{name} in {file}"));
            }
        }
    }
    found
}

fn random() -> Digest {
    Digest::from_bytes(rand::random())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_address_leaves_no_byte_in_any_file() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    let forgotten = random();
    let mut traces = vec![("address".to_owned(), forgotten.as_bytes().to_vec())];
    // Among others, whose rows split the pages; some of the log is in the database.
    for number in 0..1_500_u32 {
        let mut attempt = NewAttempt { email: random(), ..unique(NOW) };
        if number % 100 == 50 {
            attempt.email = forgotten;
            attempt.request_id = format!("request-forgotten-{number:04}");
            let proof = ProofUse { proof: random(), lasts: DAY };
            attempt.admission_cost = proof_only(proof);
            let user_id = format!("forgotten-user-{number:04}");
            traces.extend([
                (format!("id {number}"), attempt.id.as_uuid().as_bytes().to_vec()),
                (format!("key {number}"), attempt.key.records[0].key.as_bytes().to_vec()),
                (format!("pinned id {number}"), attempt.user_id.as_str().as_bytes().to_vec()),
                (format!("request {number}"), attempt.request_id.clone().into_bytes()),
                (format!("user {number}"), user_id.clone().into_bytes()),
            ]);
            begin(&ledger, &attempt).await;
            let resolution = Resolution::Created { user_id: Some(UserId::from_auth0(user_id)) };
            ledger.finish(finish(attempt.id, resolution, "created")).await.unwrap();
        } else {
            begin(&ledger, &attempt).await;
        }
    }
    // The notice to the owner of the address.
    let address = DigestPair { current: forgotten, previous: None };
    assert!(ledger.record_once(unique(NOW).id, address, DAY).await.unwrap());
    let before = found(&backend, &traces);
    assert!(traces.iter().all(|(name, _)| before.iter().any(|found| found.starts_with(name))));

    assert_eq!(ledger.delete_by_email(&address).await.unwrap(), 15);
    assert_eq!(found(&backend, &traces), Vec::<String>::new());
    // The proof of a challenge stays used.
    assert_eq!(backend.count("used_proofs").await, 15);
    ledger.close().await;
    assert_eq!(found(&backend, &traces), Vec::<String>::new());
    assert_eq!(backend.integrity(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_leaves_no_byte_in_any_file() {
    let backend = Backend::sqlite();
    let ledger = backend.open().await;
    for number in 0..300 {
        assert_eq!(begin(&ledger, &keyed(number, NOW)).await, BeginResult::Started);
    }
    let traces: Vec<_> = (0..300)
        .map(|number| (format!("key {number}"), digest(number).as_bytes().to_vec()))
        .filter(|(name, _)| name != "key 1")
        .collect();
    assert!(found(&backend, &traces).len() >= traces.len());
    backend.set_time(NOW + DAY).await;
    assert_eq!(ledger.sweep(kept_for(30 * DAY), 500).await.unwrap().keys, 300);
    assert_eq!(found(&backend, &traces), Vec::<String>::new());
}
