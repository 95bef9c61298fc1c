//! Tests of the comparison: every kind of wrong response is found, and no right one.

use std::time::Duration;

use auth0_emulator::{DEFAULT_CONNECTION, Emulator};
use auth0_signup::clock::{Clock as _, SystemClock};
use tokio::time::Instant;

use super::*;
use crate::people::{ClientPlan, Profile};

const EMAIL: &str = "ada@example.com";

/// Registers somebody at the tenant and returns the profile.
async fn register(auth0: &Emulator, email: &str, name: &str) -> Profile {
    let profile = Profile {
        password: format!("Chaos-Secret-{name}"),
        given_name: name.to_owned(),
        family_name: "Lovelace".to_owned(),
    };
    let form = json!({
        "connection": DEFAULT_CONNECTION,
        "email": email,
        "password": profile.password,
        "given_name": name,
        "family_name": "Lovelace",
        "name": profile.name(),
    });
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("{}/dbconnections/signup", auth0.url()));
    let request = request.header("content-type", "application/json").body(form.to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
    profile
}

/// Returns what is found if a client of `EMAIL` with this profile observes these results.
fn found(auth0: &Emulator, profile: &Profile, observed: Vec<Observed>) -> Vec<FindingKind> {
    found_at(auth0, profile, observed, SystemClock.now())
}

fn found_at(
    auth0: &Emulator,
    profile: &Profile,
    observed: Vec<Observed>,
    received_at: Duration,
) -> Vec<FindingKind> {
    let observation = |(at, observed)| Observation {
        at: Duration::from_secs(at),
        took: Duration::ZERO,
        received_at,
        replica: 0,
        observed,
        retry_after: None,
    };
    let behavior = ClientBehavior::AcceptsFailure;
    let plan = ClientPlan { profile: profile.clone(), key: None, behavior, seed: 0 };
    let person = Person {
        number: 0,
        email: EMAIL.to_owned(),
        registered_before: None,
        clients: vec![plan.clone()],
    };
    let observed = (0..).zip(observed).map(observation).collect();
    let history = ClientHistory { plan, started_at: Instant::now(), observed };
    let mut findings = Findings::default();
    let truth = Truth::new(auth0).unwrap();
    check_clients(&truth, &[(person, vec![history])], &Losses::default(), &mut findings);
    findings.all.iter().map(|finding| finding.kind).collect()
}

/// A 201 with these members of the user with this address.
fn created(auth0: &Emulator, email: &str, names: &[&str]) -> Observed {
    let users = auth0.users();
    let user = users.iter().find(|user| user["email"] == email).unwrap();
    Observed::Created(names.iter().map(|name| ((*name).to_owned(), user[*name].clone())).collect())
}

#[tokio::test]
async fn a_201_with_the_clients_own_user_is_correct() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let all = ["user_id", "email", "given_name", "family_name", "name", "created_at"];
    assert_eq!(found(&auth0, &ada, vec![created(&auth0, EMAIL, &all)]), []);
    assert_eq!(found(&auth0, &ada, vec![created(&auth0, EMAIL, &["user_id", "email"])]), []);
}

#[tokio::test]
async fn a_201_about_another_user_or_profile_is_incorrect() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let bob = register(&auth0, "bob@example.com", "Bob").await;
    // Another address, another owner, and another person's name.
    let another_address = created(&auth0, "bob@example.com", &["user_id", "email"]);
    assert_eq!(found(&auth0, &bob, vec![another_address]), [FindingKind::Incorrect]);
    let own = created(&auth0, EMAIL, &["user_id", "email"]);
    assert_eq!(found(&auth0, &bob, vec![own.clone()]), [FindingKind::Incorrect]);
    let Observed::Created(mut body) = own.clone() else { unreachable!() };
    body.insert("given_name".to_owned(), "Bob".into());
    assert_eq!(found(&auth0, &ada, vec![Observed::Created(body)]), [FindingKind::Incorrect]);
    // A user that did not exist when the response arrived.
    let before = SystemClock.now().saturating_sub(Duration::from_mins(1));
    assert_eq!(found_at(&auth0, &ada, vec![own], before), [FindingKind::Incorrect]);
}

#[tokio::test]
async fn a_201_about_no_user_is_lost_and_about_two_is_a_duplicate() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let none = Observed::Created(Map::from_iter([("user_id".to_owned(), "auth0|none".into())]));
    assert_eq!(found(&auth0, &ada, vec![none.clone()]), [FindingKind::Lost]);
    let both = vec![created(&auth0, EMAIL, &["user_id"]), none];
    assert_eq!(found(&auth0, &ada, both), [FindingKind::Duplicate, FindingKind::Lost]);
}

#[tokio::test]
async fn email_taken_is_correct_only_about_somebody_elses_user() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let bob = register(&auth0, "bob@example.com", "Bob").await;
    assert_eq!(found(&auth0, &bob, vec![Observed::EmailTaken]), [FindingKind::Incorrect]);
    let ada = register(&auth0, EMAIL, "Ada").await;
    assert_eq!(found(&auth0, &bob, vec![Observed::EmailTaken]), []);
    assert_eq!(found(&auth0, &ada, vec![Observed::EmailTaken]), [FindingKind::Incorrect]);
    let before = SystemClock.now().saturating_sub(Duration::from_mins(1));
    let early = found_at(&auth0, &bob, vec![Observed::EmailTaken], before);
    assert_eq!(early, [FindingKind::Incorrect]);
}

#[tokio::test]
async fn nothing_was_created_is_incorrect_if_the_user_exists_then() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let busy = || Observed::NotCreated("upstream_busy".to_owned());
    let bob = register(&auth0, "bob@example.com", "Bob").await;
    assert_eq!(found(&auth0, &bob, vec![busy()]), []);
    let ada = register(&auth0, EMAIL, "Ada").await;
    assert_eq!(found(&auth0, &ada, vec![busy()]), [FindingKind::Incorrect]);
    let then_created = vec![busy(), created(&auth0, EMAIL, &["user_id"])];
    assert_eq!(found(&auth0, &ada, then_created), [FindingKind::Incorrect]);
}

#[tokio::test]
async fn unavailable_is_incorrect_only_about_the_request_itself() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let unavailable = Observed::NotCreated("unavailable".to_owned());
    assert_eq!(found(&auth0, &ada, vec![unavailable.clone()]), [FindingKind::Incorrect]);
    assert_eq!(found(&auth0, &ada, vec![Observed::HungUp, unavailable]), []);
}

#[tokio::test]
async fn an_unexpected_response_and_none_at_all_are_unknown() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let unexpected = Observed::Unexpected("403".to_owned());
    assert_eq!(found(&auth0, &ada, vec![unexpected]), [FindingKind::Unknown]);
    assert_eq!(found(&auth0, &ada, vec![Observed::HungUp]), [FindingKind::Unknown]);
}

/// Two forms without a key may have pinned the same id. Only the row of the other one shows whose user it is.
#[tokio::test]
async fn a_form_without_a_key_may_be_taken_for_another_one_whose_row_is_lost() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let ada = register(&auth0, EMAIL, "Ada").await;
    let own = Profile { password: "Chaos-Secret-Bob".to_owned(), ..ada.clone() };
    let plan = |profile: &Profile, key: Option<&str>| ClientPlan {
        profile: profile.clone(),
        key: key.map(str::to_owned),
        behavior: ClientBehavior::Patient,
        seed: 0,
    };
    let observation = Observation {
        at: Duration::ZERO,
        took: Duration::ZERO,
        received_at: SystemClock.now(),
        replica: 0,
        observed: created(&auth0, EMAIL, &["user_id", "email"]),
        retry_after: None,
    };
    let started_at = Instant::now();
    let kinds = |key: Option<&str>, losses: &Losses| {
        let history = |plan: ClientPlan| ClientHistory {
            plan,
            started_at,
            observed: vec![observation.clone()],
        };
        let clients = vec![plan(&ada, None), plan(&own, key)];
        let histories: Vec<_> = clients.iter().cloned().map(history).collect();
        let email = EMAIL.to_owned();
        let person = Person { number: 0, email, registered_before: None, clients };
        let mut findings = Findings::default();
        let truth = Truth::new(&auth0).unwrap();
        check_clients(&truth, &[(person, histories)], losses, &mut findings);
        findings.all.iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    let mut lost = Losses::default();
    lost.add_all();
    assert_eq!(kinds(None, &lost), [FindingKind::Confused]);
    assert_eq!(kinds(None, &Losses::default()), [FindingKind::Incorrect]);
    assert_eq!(kinds(Some("key"), &lost), [FindingKind::Incorrect]);
}
