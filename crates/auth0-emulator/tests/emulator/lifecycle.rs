//! Starting, stopping and starting again.

use std::time::{Duration, Instant};

use auth0_emulator::{Emulator, Fault, Route};
use reqwest::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, user};

#[tokio::test]
async fn a_start_without_tls_takes_no_time() {
    let started = Instant::now();
    let mut emulators = Vec::new();
    for _ in 0..20 {
        emulators.push(Emulator::builder().start().await.unwrap());
    }
    assert!(
        started.elapsed() < Duration::from_millis(20 * 5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_stopped_emulator_frees_its_port_and_ends_its_connections() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = Client::of(&auth0);
    let request = client.creating(&user("a@b.co")).await;
    auth0.fault(Route::CreateUser, Fault::hang());
    let (hung, ()) = tokio::join!(request.send(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        auth0.stop().await;
    });
    assert!(!hung.unwrap_err().is_timeout());
    let address = auth0.url().strip_prefix("http://").unwrap();
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn a_request_that_breaks_off_is_in_the_journal_and_not_done() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let address = auth0.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let part = b"POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf";
    stream.write_all(part).await.unwrap();
    drop(stream);
    let patience = Instant::now() + Duration::from_secs(5);
    while auth0.calls(Route::Token).is_empty() {
        assert!(Instant::now() < patience, "it is not in the journal");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let call = auth0.calls(Route::Token).remove(0);
    assert_eq!(
        (call.body.as_ref(), call.status),
        (b"half".as_slice(), None)
    );
}

#[tokio::test]
async fn it_comes_back_on_its_port_with_its_users_and_tokens() {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    let client = Client::of(&auth0);
    let request = client.creating(&user("b@b.co")).await;
    assert_eq!(
        client.create(&user("a@b.co")).await.status,
        StatusCode::CREATED
    );
    auth0.stop().await;
    let refused = request.try_clone().unwrap().send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    auth0.start_again().await.unwrap();
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(auth0.users().len(), 2);
}

#[tokio::test]
async fn a_dropped_emulator_stops() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = Client::of(&auth0);
    let request = client.creating(&user("a@b.co")).await;
    drop(auth0);
    // Its tasks end as soon as the runtime gets to them.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(request.send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn start_may_be_awaited_on_another_thread() {
    let mut others = tokio::task::JoinSet::new();
    others.spawn(Emulator::builder().start());
    let auth0 = others.join_next().await.unwrap().unwrap().unwrap();
    auth0.shutdown().await;
}
