//! Replies of PostgreSQL that are lost after the commit, and connections that fall silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::ledger::{
    AdmissionCost, AttemptState, BeginResult, FinishAttempt, Lease, Ledger, NewAttempt,
    PermitCharge, ProofUse, Resolution,
};
use auth0_signup::limits::{Limit, Rate};
use uuid::Uuid;

use crate::backend::{Backend, NOW, admin};
use crate::rows::{
    DAY, WORKED, begin, created, digest, existing, finish, get, key, keyed, lease, restartable,
    time, unknown,
};
use crate::unreliable_server::UnreliableServer;

/// A database, a ledger that reaches it through the proxy, and the proxy.
async fn unreliable() -> (Backend, Arc<dyn Ledger>, UnreliableServer) {
    unreliable_with(Duration::from_secs(3)).await
}

async fn unreliable_with(timeout: Duration) -> (Backend, Arc<dyn Ledger>, UnreliableServer) {
    let backend = Backend::postgres().await;
    let proxy = UnreliableServer::start();
    let mut through = Backend::from_url(&proxy.url(&backend.database()));
    through.settings.timeout = timeout;
    let ledger = through.open().await;
    (backend, ledger, proxy)
}

/// An attempt that costs the last permit of a bucket, and a proof.
fn paying(number: u32) -> NewAttempt {
    let rate = Rate { burst: 1, every: Duration::from_hours(1) };
    let charge = PermitCharge { limit: Limit::Email, bucket: digest(number), rate };
    let proof = ProofUse { proof: digest(number), lasts: Duration::from_hours(1) };
    let admission_cost = AdmissionCost { charges: vec![charge], proof: Some(proof) };
    NewAttempt { admission_cost, ..keyed(number, NOW) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_reply_is_lost_costs_once() {
    let (backend, ledger, proxy) = unreliable().await;
    assert_eq!(begin(&ledger, &paying(1)).await, BeginResult::Started);
    proxy.lose_reply();
    let attempt = paying(2);
    assert_eq!(begin(&ledger, &attempt).await, BeginResult::Started);
    assert!(proxy.has_lost_reply());
    assert_eq!(begin(&ledger, &attempt).await, BeginResult::Started);
    for table in ["attempts", "attempt_keys", "used_proofs", "limits"] {
        assert_eq!(backend.count(table).await, 2, "{table}");
    }
    let duplicate = NewAttempt { id: keyed(2, NOW).id, ..attempt.clone() };
    assert_eq!(existing(&begin(&ledger, &duplicate).await), Some(attempt.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_whose_reply_is_lost_lets_the_attempt_start() {
    let (_backend, ledger, proxy) = unreliable().await;
    begin(&ledger, &paying(1)).await;
    let rejected = || {
        let AdmissionCost { charges, .. } = paying(1).admission_cost;
        NewAttempt { admission_cost: AdmissionCost { charges, proof: None }, ..keyed(2, NOW) }
    };
    assert!(matches!(begin(&ledger, &rejected()).await, BeginResult::RateLimited { .. }));
    proxy.lose_reply();
    assert_eq!(begin(&ledger, &rejected()).await, BeginResult::Started);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_reply_is_lost_is_reported_as_written() {
    let (_backend, ledger, proxy) = unreliable().await;
    let nobody = keyed(9, NOW).id;
    let attempt = keyed(2, NOW);
    begin(&ledger, &attempt).await;
    let lose = || proxy.lose_reply();
    let assert_lost = |what| assert!(proxy.has_lost_reply(), "{what}");
    lose();
    assert!(ledger.finish(restartable(attempt.id)).await.unwrap());
    assert_lost("finish");
    lose();
    assert!(ledger.restart(attempt.id, lease()).await.unwrap().is_some());
    assert_lost("restart");
    ledger.finish(unknown(attempt.id)).await.unwrap();
    lose();
    assert!(ledger.take_over(attempt.id, lease(), Some(time(NOW))).await.unwrap().is_some());
    assert_lost("take_over");
    lose();
    assert!(ledger.finish(created(attempt.id)).await.unwrap());
    assert_lost("finish");
    lose();
    assert!(ledger.record_once(attempt.id, key(2), DAY).await.unwrap());
    assert_lost("record_once");
    assert!(!ledger.record_once(nobody, key(2), DAY).await.unwrap());
    let row = get(&ledger, attempt.id).await;
    assert_eq!((row.state, row.restarts), (AttemptState::Created, 1));
}

/// Another process changes the attempt before the client knows that its own change was written.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_undone_after_its_reply_was_lost_is_not_reported() {
    let (backend, ledger, proxy) = unreliable_with(Duration::from_secs(30)).await;
    let direct = backend.open().await;
    let other = Lease { process: Uuid::from_u128(6), ..lease() };
    let id = keyed(1, NOW).id;
    begin(&ledger, &NewAttempt { id, ..keyed(1, NOW) }).await;

    let meanwhile = Arc::clone(&direct);
    proxy.lose_reply_after(async move {
        assert_eq!(meanwhile.restart(id, other).await.unwrap(), Some(1));
        let finished = finish(id, Resolution::Restartable, "abandoned");
        assert!(meanwhile.finish(finished).await.unwrap());
    });
    assert!(!ledger.finish(FinishAttempt { basis: WORKED, ..restartable(id) }).await.unwrap());
    assert!(proxy.has_lost_reply());

    let meanwhile = Arc::clone(&direct);
    proxy.lose_reply_after(async move {
        assert!(meanwhile.finish(restartable(id)).await.unwrap());
        assert_eq!(meanwhile.restart(id, other).await.unwrap(), Some(3));
    });
    assert_eq!(ledger.restart(id, lease()).await.unwrap(), None);
    assert!(proxy.has_lost_reply());

    let meanwhile = Arc::clone(&direct);
    proxy.lose_reply_after(async move {
        let ended_at = get(&meanwhile, id).await.connection_ended_at;
        assert!(meanwhile.take_over(id, other, ended_at).await.unwrap().is_some());
    });
    assert_eq!(ledger.take_over(id, lease(), None).await.unwrap(), None);
    assert!(proxy.has_lost_reply());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_reply_is_lost_reports_no_wrong_number() {
    let (backend, ledger, proxy) = unreliable().await;
    begin(&ledger, &keyed(1, NOW)).await;
    proxy.lose_reply();
    let error = ledger.delete_by_email(&key(1)).await.unwrap_err();
    assert!(format!("{error:?}").contains("ReplyLost"), "{error:?}");
    assert_eq!(backend.count("attempts").await, 0);
    assert_eq!(ledger.delete_by_email(&key(1)).await.unwrap(), 0);
}

/// Each costs the server a login.
#[tokio::test(flavor = "multi_thread")]
async fn calls_share_the_error_of_a_server_that_rejects_connections() {
    let (backend, ledger, proxy) = unreliable().await;
    ledger.now().await.unwrap();
    let name = backend.database();
    admin(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    backend.terminate().await;
    let (before, started) = (proxy.opened(), Instant::now());
    for _ in 0..100 {
        let error = ledger.now().await.unwrap_err();
        assert!(format!("{error:?}").contains("not currently accepting"), "{error:?}");
    }
    let most = 2 + usize::try_from(started.elapsed().as_millis() / 500).unwrap();
    assert!(proxy.opened() - before <= most, "{} of {most}", proxy.opened() - before);
    admin(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    // A heartbeat tries at once.
    ledger.heartbeat(Uuid::nil()).await.unwrap();
    ledger.now().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_rejection_is_not_the_error_of_a_server_that_is_down() {
    let (backend, ledger, proxy) = unreliable().await;
    admin(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", backend.database())).await;
    backend.terminate().await;
    let error = ledger.now().await.unwrap_err();
    assert!(format!("{error:?}").contains("not currently accepting"), "{error:?}");
    proxy.take_away();
    // A heartbeat tries at once.
    for error in [ledger.heartbeat(Uuid::nil()).await.err(), ledger.now().await.err()] {
        assert!(format!("{error:?}").contains("NotFound"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_silent_connection_is_repeated_on_another() {
    let (_backend, ledger, proxy) = unreliable().await;
    begin(&ledger, &keyed(1, NOW)).await;
    proxy.silence();
    let started = Instant::now();
    assert_eq!(begin(&ledger, &paying(2)).await, BeginResult::Started);
    assert!(started.elapsed() < Duration::from_millis(1_800), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_find_silent_connections_before_other_calls_do() {
    let (_backend, ledger, proxy) = unreliable().await;
    let many = (0..5).map(|_| ledger.now());
    futures_util::future::try_join_all(many).await.unwrap();
    proxy.silence();
    tokio::time::sleep(Duration::from_millis(10)).await;
    ledger.heartbeat(Uuid::nil()).await.unwrap();
    for _ in 0..5 {
        let started = Instant::now();
        ledger.now().await.unwrap();
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_costs_one_timeout() {
    let (_backend, ledger, proxy) = unreliable().await;
    ledger.now().await.unwrap();
    proxy.silence_for_good();
    let started = Instant::now();
    let calls = (0..20).map(|number| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            match number % 4 {
                0 => ledger.begin(paying(number)).await.map(drop),
                1 => ledger.finish(created(keyed(1, NOW).id)).await.map(drop),
                2 => ledger.find_key(&key(number)).await.map(drop),
                _ => ledger.ping(false).await,
            }
        })
    });
    for call in futures_util::future::join_all(calls).await {
        call.unwrap().unwrap_err();
    }
    assert!(started.elapsed() < Duration::from_millis(3_500), "{:?}", started.elapsed());
    let started = Instant::now();
    ledger.heartbeat(Uuid::nil()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

/// A proxy or a pooler keeps the sockets open to which nobody replies any more.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_never_end_are_given_up() {
    let (_backend, ledger, proxy) = unreliable_with(Duration::from_millis(600)).await;
    ledger.now().await.unwrap();
    proxy.silence_for_good();
    for number in 0..5 {
        let call = ledger.begin(paying(number));
        let (begun, beat) = tokio::join!(call, ledger.heartbeat(Uuid::nil()));
        assert!(begun.is_err() && beat.is_err());
    }
    // Those that ask to cancel a statement get no reply either, and end.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(proxy.open() <= 12, "{}", proxy.open());
    // New connections work again.
    proxy.silence();
    let started = Instant::now();
    while ledger.begin(keyed(1, NOW)).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_opens_at_most_six_connections() {
    let (_backend, ledger, proxy) = unreliable().await;
    let before = proxy.opened();
    let many = (0..100).map(|number| {
        let (ledger, attempt) = (Arc::clone(&ledger), keyed(number, NOW));
        tokio::spawn(async move { ledger.begin(attempt).await })
    });
    for begun in futures_util::future::join_all(many).await {
        begun.unwrap().unwrap();
    }
    assert!(proxy.opened() - before <= 6, "{}", proxy.opened() - before);
}
