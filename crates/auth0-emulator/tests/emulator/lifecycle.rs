//! Starting, stopping and starting again.

use auth0_emulator::{Emulator, Fault, Route};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{TestClient, user};
use crate::eventually::eventually;
use crate::faults::until_call;

#[tokio::test]
async fn stopping_ends_a_pending_call() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let request = client.create_request(&user("a@b.co")).await;
    auth0.fault(Route::CreateUser, Fault::hang());
    let (hung, ()) = tokio::join!(request.send(), async {
        until_call(&auth0).await;
        auth0.stop().await;
    });
    assert!(!hung.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_shut_down_emulator_frees_its_port() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let address = auth0.url().strip_prefix("http://").unwrap().to_owned();
    TcpListener::bind(&address).await.unwrap_err();
    auth0.shutdown().await;
    // Another test may hold the port for a while.
    eventually("the port is free", async || TcpListener::bind(&address).await.ok()).await;
}

#[tokio::test]
async fn an_incomplete_request_is_recorded_but_not_performed() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let address = auth0.url().strip_prefix("http://").unwrap();
    for path in ["/oauth/token", "/_emulator/reset"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let part = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf");
        stream.write_all(part.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        assert!(response.is_empty(), "{path}");
    }
    let journal = auth0.journal();
    let [call] = &journal[..] else { panic!("control calls are not recorded: {journal:?}") };
    assert_eq!((call.path.as_str(), call.body.as_ref()), ("/oauth/token", b"half".as_slice()));
    assert_eq!(call.status, None);
}

#[tokio::test]
async fn a_restarted_emulator_keeps_its_port_users_and_tokens() {
    let auth0 = Emulator::builder().tls(true).start().await.unwrap();
    let token = TestClient::new(&auth0).token().await;
    // A new client for each call, so that none reuses a closed connection.
    let create = async |email: &str| {
        let client = TestClient::new(&auth0);
        let request = client.request(Method::POST, "/api/v2/users").json(&user(email));
        request.bearer_auth(&token).send().await.map(|response| response.status())
    };
    assert_eq!(create("a@b.co").await.unwrap(), StatusCode::CREATED);
    for _ in 0..3 {
        auth0.stop().await;
        assert!(create("b@b.co").await.unwrap_err().is_connect());
        auth0.start_again().await.unwrap();
    }
    assert_eq!(create("b@b.co").await.unwrap(), StatusCode::CREATED);
    assert_eq!(auth0.users().len(), 2);
}

#[tokio::test]
async fn a_dropped_emulator_stops() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let client = TestClient::new(&auth0);
    let address = auth0.url().to_owned();
    drop(auth0);
    // Its tasks end as soon as the runtime polls them.
    eventually("the emulator stops", async || client.http.get(&address).send().await.err()).await;
}

#[tokio::test]
async fn start_can_be_awaited_on_another_thread() {
    let mut others = tokio::task::JoinSet::new();
    others.spawn(Emulator::builder().start());
    let auth0 = others.join_next().await.unwrap().unwrap().unwrap();
    auth0.shutdown().await;
}
