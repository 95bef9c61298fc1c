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
    ProofOfWork::start(&SETTINGS, &digests(current, previous), &Lifecycle::new())
}

fn encoded(challenge: &Challenge, solution: &altcha::Solution) -> String {
    let payload = json!({ "challenge": challenge, "solution": solution });
    STANDARD.encode(payload.to_string())
}

async fn solved(work: &ProofOfWork) -> (Challenge, altcha::Solution) {
    let challenge = work.challenge(Difficulty::Base, NOW).await.unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    (challenge, solution)
}

#[tokio::test]
async fn what_a_solver_finds_is_a_proof_until_it_expires() {
    let work = work("k", None);
    let (challenge, solution) = solved(&work).await;
    assert!((1..=2).contains(&solution.counter), "{solution:?}");
    let answer = encoded(&challenge, &solution);
    let redemption = work.judge(&answer, NOW).unwrap();
    assert_eq!(redemption.expires_at, NOW + HOUR + SKEW);
    assert_eq!(hex(redemption.proof.as_bytes()), challenge.signature.unwrap());
    let last = NOW + Duration::from_mins(59);
    assert!(work.judge(&answer, last).is_ok());
    assert_eq!(work.judge(&answer, NOW + HOUR), Err(ProofFault::Expired));
}

#[tokio::test]
async fn however_an_answer_is_written_it_redeems_the_same() {
    let work = work("k", None);
    let (challenge, mut solution) = solved(&work).await;
    let proof = work.judge(&encoded(&challenge, &solution), NOW).unwrap().proof;
    solution.counter += 1;
    solution.time = Some(7.0);
    solution.derived_key = solution.derived_key.to_uppercase();
    let again = work.judge(&encoded(&challenge, &solution), NOW).unwrap();
    assert_eq!(again.proof, proof);
    let shouted =
        Challenge { signature: challenge.signature.map(|s| s.to_uppercase()), ..challenge };
    assert_eq!(work.judge(&encoded(&shouted, &solution), NOW), Err(ProofFault::Forged));
}

#[tokio::test]
async fn a_wrong_key_and_changed_parameters_are_no_proof() {
    let work = work("k", None);
    let (challenge, solution) = solved(&work).await;
    let mut wrong = solution.clone();
    wrong.derived_key = hex(&[0; KEY]);
    assert_eq!(work.judge(&encoded(&challenge, &wrong), NOW), Err(ProofFault::Wrong));
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
        let verdict = work.judge(&encoded(&changed, &solution), NOW);
        assert_eq!(verdict, Err(ProofFault::Forged), "{at}");
    }
}

#[tokio::test]
async fn only_the_secrets_of_this_deployment_sign() {
    let before = work("k", None);
    let (challenge, solution) = solved(&before).await;
    let answer = encoded(&challenge, &solution);
    assert!(work("l", Some("k")).judge(&answer, NOW).is_ok());
    assert_eq!(work("l", None).judge(&answer, NOW), Err(ProofFault::Forged));
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
        assert_eq!(before.judge(&encoded(&signed, &forged), NOW), Err(ProofFault::Forged));
    }
}

#[tokio::test]
async fn what_no_widget_sends_is_malformed() {
    let work = work("k", None);
    let test_mode = STANDARD.encode(r#"{"challenge":null,"solution":null,"test":true}"#);
    let deep = STANDARD.encode(format!(r#"{{"challenge":{{"parameters":{}"#, "[".repeat(3_000)));
    for answer in ["", "=", "e30=", "bnVsbA==", "é", &"A".repeat(8_193), &test_mode, &deep] {
        assert_eq!(work.judge(answer, NOW), Err(ProofFault::Malformed), "{answer:.40}");
    }
}

#[tokio::test]
async fn pressure_makes_more_work_and_the_stock_is_never_used_twice() {
    let work = work("k", None);
    let mut nonces = std::collections::HashSet::new();
    for strength in Difficulty::ALL {
        for _ in 0..20 {
            let challenge = work.challenge(strength, NOW).await.unwrap();
            assert!(nonces.insert(challenge.parameters.nonce));
        }
    }
    let challenge = work.challenge(Difficulty::High, NOW).await.unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    assert!((16..=32).contains(&solution.counter), "{solution:?}");
}
