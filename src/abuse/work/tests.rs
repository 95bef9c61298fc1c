//! The proof of work against the crate's own solver.

use altcha::{SolveChallengeOptions, solve_challenge};
use serde_json::json;

use super::*;

const NOW: Duration = Duration::from_hours(600_000);
const HOUR: Duration = Duration::from_hours(1);

const SETTINGS: WorkSettings =
    WorkSettings { cost: 1_000, tries: 2, lifetime: HOUR, per_minute: 1 };

fn digests(current: &str, previous: Option<&str>) -> Digests {
    let previous = previous.map(|text| text.repeat(32).into());
    Digests::new(&current.repeat(32).into(), previous.as_ref())
}

fn work(current: &str, previous: Option<&str>) -> ProofOfWork {
    ProofOfWork::new(&SETTINGS, &digests(current, previous), &Lifecycle::new())
}

fn encoded(challenge: &Challenge, solution: &altcha::Solution) -> String {
    let payload = json!({ "challenge": challenge, "solution": solution });
    STANDARD.encode(payload.to_string())
}

async fn solved(work: &ProofOfWork) -> (Challenge, altcha::Solution) {
    solved_at(work, Difficulty::Base).await
}

async fn solved_at(work: &ProofOfWork, difficulty: Difficulty) -> (Challenge, altcha::Solution) {
    let challenge = work.challenge(difficulty, NOW).await.unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    (challenge, solution)
}

#[tokio::test]
async fn a_proof_pays_no_more_than_the_work_that_it_took() {
    let work = work("k", None);
    for (nth, difficulty) in Difficulty::ALL.into_iter().enumerate() {
        let (mut challenge, solution) = solved_at(&work, difficulty).await;
        let proof = encoded(&challenge, &solution);
        for (owed_nth, owed) in Difficulty::ALL.into_iter().enumerate() {
            let verified = work.verify(&proof, owed, NOW);
            let expected = if owed_nth <= nth { None } else { Some(ProofError::TooEasy) };
            assert_eq!(verified.err(), expected, "{difficulty:?} {owed:?}");
        }
        // The level is signed.
        let other =
            if difficulty == Difficulty::High { Difficulty::Base } else { Difficulty::High };
        challenge.parameters.data = Some(purpose(other));
        let forged = work.verify(&encoded(&challenge, &solution), Difficulty::Base, NOW);
        assert_eq!(forged, Err(ProofError::Forged));
    }
}

/// A solver that starts at a later counter would do less work.
#[tokio::test]
async fn every_counter_is_as_likely_as_any_other() {
    let settings = WorkSettings { cost: 1, tries: 4, ..SETTINGS };
    let work = ProofOfWork::new(&settings, &digests("k", None), &Lifecycle::new());
    let mut counts = [0; 5];
    for _ in 0..80 {
        let challenge = work.challenge(Difficulty::Base, NOW).await.unwrap();
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
        counts[usize::try_from(solution.counter).unwrap()] += 1;
    }
    // One of a thousand million runs has a count beyond these.
    assert!(
        counts[0] == 0 && counts[1..].iter().all(|count| (1..=48).contains(count)),
        "{counts:?}"
    );
}

#[tokio::test]
async fn a_solution_is_a_valid_proof_until_it_expires() {
    let work = work("k", None);
    let (challenge, solution) = solved(&work).await;
    assert!((1..=2).contains(&solution.counter), "{solution:?}");
    let proof = encoded(&challenge, &solution);
    let proof_use = work.verify(&proof, Difficulty::Base, NOW).unwrap();
    assert_eq!(proof_use.lasts, HOUR + SKEW);
    assert_eq!(hex(proof_use.proof.as_bytes()), challenge.signature.unwrap());
    let last = NOW + Duration::from_mins(59);
    assert!(work.verify(&proof, Difficulty::Base, last).is_ok());
    assert_eq!(work.verify(&proof, Difficulty::Base, NOW + HOUR), Err(ProofError::Expired));
}

#[tokio::test]
async fn every_spelling_of_a_proof_is_the_same_proof() {
    let work = work("k", None);
    let (challenge, mut solution) = solved(&work).await;
    let proof = work.verify(&encoded(&challenge, &solution), Difficulty::Base, NOW).unwrap().proof;
    solution.counter += 1;
    solution.time = Some(7.0);
    solution.derived_key = solution.derived_key.to_uppercase();
    let again = work.verify(&encoded(&challenge, &solution), Difficulty::Base, NOW).unwrap();
    assert_eq!(again.proof, proof);
    let uppercased =
        Challenge { signature: challenge.signature.map(|s| s.to_uppercase()), ..challenge };
    assert_eq!(
        work.verify(&encoded(&uppercased, &solution), Difficulty::Base, NOW),
        Err(ProofError::Forged)
    );
}

#[tokio::test]
async fn a_wrong_key_or_changed_parameters_are_rejected() {
    let work = work("k", None);
    let (challenge, solution) = solved(&work).await;
    let mut wrong = solution.clone();
    wrong.derived_key = hex(&[0; KEY]);
    assert_eq!(
        work.verify(&encoded(&challenge, &wrong), Difficulty::Base, NOW),
        Err(ProofError::Wrong)
    );
    let changes: [fn(&mut ChallengeParameters); 10] = [
        |parameters| parameters.cost = 1,
        |parameters| parameters.expires_at = parameters.expires_at.map(|at| at + 1),
        |parameters| parameters.expires_at = None,
        |parameters| parameters.expires_at = Some(0),
        |parameters| parameters.key_prefix.clear(),
        |parameters| parameters.key_signature = None,
        |parameters| parameters.data = None,
        |parameters| parameters.algorithm = "SHA-256".to_owned(),
        |parameters| parameters.memory_cost = Some(1),
        |parameters| parameters.key_length = 16,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut changed = challenge.clone();
        change(&mut changed.parameters);
        let verified = work.verify(&encoded(&changed, &solution), Difficulty::Base, NOW);
        assert_eq!(verified, Err(ProofError::Forged), "{at}");
    }
}

#[tokio::test]
async fn only_signatures_of_this_deployment_are_accepted() {
    let before = work("k", None);
    let (challenge, solution) = solved(&before).await;
    let proof = encoded(&challenge, &solution);
    assert!(work("l", Some("k")).verify(&proof, Difficulty::Base, NOW).is_ok());
    assert_eq!(work("l", None).verify(&proof, Difficulty::Base, NOW), Err(ProofError::Forged));
    for secret in ["", "k"] {
        let signed = altcha::sign_challenge(
            &HmacAlgorithm::Sha256,
            &mut challenge.parameters.clone(),
            Some(&[7; KEY]),
            secret,
            Some(secret),
        );
        let mut signed = signed.unwrap();
        signed.parameters.key_signature.get_or_insert("0".repeat(64));
        let mut forged = solution.clone();
        forged.derived_key = hex(&[7; KEY]);
        assert_eq!(
            before.verify(&encoded(&signed, &forged), Difficulty::Base, NOW),
            Err(ProofError::Forged)
        );
    }
}

#[tokio::test]
async fn anything_that_no_widget_sends_is_malformed() {
    let work = work("k", None);
    let test_mode = STANDARD.encode(r#"{"challenge":null,"solution":null,"test":true}"#);
    let deep = STANDARD.encode(format!(r#"{{"challenge":{{"parameters":{}"#, "[".repeat(3_000)));
    for proof in ["", "=", "e30=", "bnVsbA==", "é", &"A".repeat(8_193), &test_mode, &deep] {
        assert_eq!(
            work.verify(proof, Difficulty::Base, NOW),
            Err(ProofError::Malformed),
            "{proof:.40}"
        );
    }
}

#[tokio::test]
async fn difficulty_raises_the_work_and_no_key_is_issued_twice() {
    let work = work("k", None);
    let mut nonces = std::collections::HashSet::new();
    for difficulty in Difficulty::ALL {
        for _ in 0..20 {
            let challenge = work.challenge(difficulty, NOW).await.unwrap();
            assert!(nonces.insert(challenge.parameters.nonce));
        }
    }
    let mut most = 0;
    for _ in 0..12 {
        let (_, solution) = solved_at(&work, Difficulty::High).await;
        most = most.max(solution.counter);
    }
    // More than at any lower difficulty. One of ten million runs draws less.
    assert!((9..=32).contains(&most), "{most}");
}
