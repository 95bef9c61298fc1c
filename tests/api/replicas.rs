//! Two replicas on one database: requests without a key, a dead replica, and the rotation of the
//! secret.

use std::time::{Duration, Instant};

use auth0_emulator::{Fault, Route};
use reqwest::StatusCode;
use tokio_postgres::Client;

use crate::app::{KEY, TestApp, ada, ada_with};
use crate::builder::SECRET as OLD;
use crate::eventually::eventually;
use crate::server::{connect, database, scalar};

const NEW: &str = "fedcba9876543210fedcba9876543210";

/// The settings of a replica that has the new secret, and the old one as the previous one.
const ROTATED: &[(&str, &str)] = &[("secrets.key", NEW), ("secrets.previous_key", OLD)];

/// Starts two replicas at one tenant, the second with these settings.
async fn replicas(of_second: &[(&str, &str)]) -> (TestApp, TestApp, String) {
    let database = database().await;
    let replica = || TestApp::builder().postgres(&database);
    let one = replica().spawn().await;
    let other = replica().set("auth0.domain", one.auth0.url());
    let other = of_second.iter().fold(other, |builder, (key, value)| builder.set(key, value));
    let other = other.spawn().await;
    one.until_ready().await;
    other.until_ready().await;
    (one, other, database)
}

/// Waits until the results of this many attempts are recorded.
async fn until_recorded(connection: &Client, attempts: i64) {
    let recorded = "SELECT count(*) FROM attempts WHERE state = 1";
    eventually("the results are recorded", async || {
        (scalar::<i64>(connection, recorded).await == attempts).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_double_click_over_two_replicas_is_one_sign_up() {
    let (one, other, _) = replicas(&[]).await;
    for number in 0..20 {
        let form = ada_with("email", format!("double{number}@example.com"));
        let (first, second) = tokio::join!(one.sign_up(&form), other.sign_up(&form));
        for response in [&first, &second] {
            assert_eq!(response.status, StatusCode::CREATED, "{number}: {response:?}");
        }
        assert_eq!(first.json()["user"]["user_id"], second.json()["user"]["user_id"]);
    }
    assert_eq!(one.creates().len(), 20);
}

#[tokio::test]
async fn a_key_is_one_attempt_while_the_secret_is_half_rotated() {
    let (one, other, _) = replicas(ROTATED).await;
    for number in 0..30 {
        let form = ada_with("email", format!("rotated{number}@example.com"));
        let key = format!("rotated-key-number-{number}");
        let (first, second) =
            tokio::join!(one.sign_up_with_key(&*key, &form), other.sign_up_with_key(&*key, &form));
        for response in [&first, &second] {
            assert_eq!(response.status, StatusCode::CREATED, "{number}: {response:?}");
        }
        let replica = if number % 2 == 0 { &one } else { &other };
        let again = replica.sign_up_with_key(&*key, &form).await;
        assert_eq!(again.status, StatusCode::CREATED, "{number}: {again:?}");
    }
    assert_eq!((one.creates().len(), one.auth0.users().len()), (30, 30));
}

#[tokio::test]
async fn a_user_of_the_previous_secret_is_recognised_without_its_row() {
    let (one, other, database) = replicas(ROTATED).await;
    assert_eq!(one.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
    assert_eq!(
        one.sign_up(&ada_with("email", "eve@example.com")).await.status,
        StatusCode::CREATED
    );
    let connection = connect(&database).await;
    until_recorded(&connection, 2).await;
    let lose = "TRUNCATE attempts, attempt_keys";
    connection.batch_execute(lose).await.unwrap();
    assert_eq!(other.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
    let eve = other.sign_up(&ada_with("email", "eve@example.com")).await;
    assert_eq!(eve.status, StatusCode::CREATED, "{eve:?}");
    assert_eq!(one.auth0.users().len(), 2);
}

#[tokio::test]
async fn nobody_waits_for_a_dead_replica() {
    let (one, other, database) = replicas(&[]).await;
    assert_eq!(one.sign_up_with_key(KEY, &ada()).await.status, StatusCode::CREATED);
    let connection = connect(&database).await;
    // The first replica died during its call: the row is open, and its heartbeat has stopped.
    let die = "UPDATE attempts SET state = 0, outcome_code = NULL, finished_at = NULL, \
               worker = gen_random_uuid(), next_check_at = ledger_now() + 60000";
    let died = async || connection.batch_execute(die).await.unwrap();
    until_recorded(&connection, 1).await;
    died().await;
    one.auth0.fault(Route::GetUser, Fault::delay(Duration::from_millis(50)));
    let started = Instant::now();
    let again = other.sign_up_with_key(KEY, &ada()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!((one.creates().len(), one.auth0.users().len()), (1, 1));
}

/// The start of an attempt outlives a failover, its result does not, and the process that worked on it
/// lives on.
#[tokio::test]
async fn a_result_that_a_failover_lost_is_found_without_a_restart() {
    let database = database().await;
    let settings = TestApp::builder().postgres(&database);
    let app = settings.spawn().await;
    assert_eq!(app.sign_up(&ada()).await.status, StatusCode::CREATED);
    let connection = connect(&database).await;
    let state = async || scalar::<i16>(&connection, "SELECT state FROM attempts").await;
    eventually("its result is recorded", async || (state().await == 1).then_some(())).await;
    let lose = "UPDATE attempts SET state = 0, outcome_code = NULL, auth0_user_id = NULL, \
                finished_at = NULL, worker = (SELECT id FROM processes), \
                next_check_at = ledger_now()";
    connection.batch_execute(lose).await.unwrap();
    eventually("its result is found", async || (state().await == 1).then_some(())).await;
    assert_eq!(app.creates().len(), 1);
}

/// The runbook's steps: both secrets, then the new one first, then the new one alone.
#[tokio::test]
async fn what_is_known_about_ids_outlasts_a_rotation_of_the_secret() {
    for database in [None, Some(database().await)] {
        let mut builder = TestApp::builder().set("secrets.key", OLD);
        if let Some(url) = &database {
            builder = builder.set("database.url", url);
        }
        let mut app = builder.spawn().await;
        app.learn_whether_ids_are_kept().await;
        for (key, other) in [(OLD, NEW), (NEW, OLD), (NEW, "")] {
            app = app.restart_with(&[("secrets.key", key), ("secrets.previous_key", other)]).await;
            app.until_ready().await;
        }
        app.auth0.fault(Route::CreateUser, Fault::close());
        let lost = app.sign_up(&ada()).await;
        assert_eq!(lost.status, StatusCode::CREATED, "{database:?}: {lost:?}");
    }
}

#[tokio::test]
async fn a_replica_knows_what_another_has_learned_about_ids() {
    let (one, other, database) = replicas(&[]).await;
    other.learn_whether_ids_are_kept().await;
    let connection = connect(&database).await;
    eventually("what it learned is recorded", async || {
        let known = "SELECT count(*) FROM connections WHERE keeps_user_ids";
        (scalar::<i64>(&connection, known).await == 1).then_some(())
    })
    .await;
    // Only where ids are kept is a lost call repeated at once.
    one.auth0.fault(Route::CreateUser, Fault::close());
    assert_eq!(one.sign_up(&ada()).await.status, StatusCode::CREATED);
    assert_eq!((one.creates().len(), one.auth0.users().len()), (3, 2));

    // What another learned later counts as well.
    let no_longer = "UPDATE connections SET keeps_user_ids = false";
    connection.batch_execute(no_longer).await.unwrap();
    one.auth0.fault(Route::CreateUser, Fault::close());
    let lost = one.sign_up(&ada_with("email", "lost@example.com")).await;
    assert_eq!(lost.problem(), "outcome_unknown");
    assert_eq!(one.creates().len(), 4);
}
