//! Faults on h2, with a client that distinguishes frames.

use std::time::Duration;

use auth0_emulator::{Emulator, Fault, Route};
use h2::client::SendRequest;
use h2::{Ping, Reason};
use http::Request;
use tokio::net::TcpStream;

/// An h2 connection to `auth0`, with a handle for pings.
async fn connect(auth0: &Emulator) -> (SendRequest<bytes::Bytes>, h2::PingPong) {
    let address = auth0.url().strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, mut connection) = h2::client::handshake(stream).await.unwrap();
    let pings = connection.ping_pong().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    drop(tokio::spawn(connection));
    (sender, pings)
}

/// Sends a request and returns its status or error.
async fn send(
    auth0: &Emulator,
    sender: &mut SendRequest<bytes::Bytes>,
) -> Result<http::StatusCode, h2::Error> {
    let uri = format!("{}/.well-known/openid-configuration", auth0.url());
    let request = Request::get(uri).body(()).unwrap();
    let (response, _) = sender.clone().ready().await?.send_request(request, true)?;
    Ok(response.await?.status())
}

#[tokio::test]
async fn a_goaway_names_no_stream_as_processed() {
    for (fault, reason) in
        [(Fault::goaway(), Reason::NO_ERROR), (Fault::goaway().code(11), Reason::ENHANCE_YOUR_CALM)]
    {
        let auth0 = Emulator::builder().start().await.unwrap();
        let (mut sender, _pings) = connect(&auth0).await;
        assert_eq!(send(&auth0, &mut sender).await.unwrap(), 200);
        auth0.fault(Route::Discovery, fault);
        let error = send(&auth0, &mut sender).await.unwrap_err();
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
        assert_eq!(error.reason(), Some(reason));
        assert!(send(&auth0, &mut sender).await.is_err(), "the connection is closed");
    }
}

#[tokio::test]
async fn a_stream_reset_leaves_the_connection_alone() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (mut sender, _pings) = connect(&auth0).await;
    auth0.fault(Route::Discovery, Fault::stream_reset().code(7));
    let error = send(&auth0, &mut sender).await.unwrap_err();
    assert!(error.is_reset() && error.is_remote(), "{error:?}");
    assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM));
    assert_eq!(send(&auth0, &mut sender).await.unwrap(), 200);
    let connections: Vec<u64> = auth0.journal().iter().map(|entry| entry.connection).collect();
    assert_eq!(connections, [1, 1]);
}

#[tokio::test]
async fn a_black_hole_ignores_requests_and_pings() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (mut sender, mut pings) = connect(&auth0).await;
    pings.ping(Ping::opaque()).await.unwrap();
    auth0.fault(Route::Discovery, Fault::black_hole());
    let limit = Duration::from_millis(200);
    assert!(tokio::time::timeout(limit, send(&auth0, &mut sender)).await.is_err());
    assert!(tokio::time::timeout(limit, pings.ping(Ping::opaque())).await.is_err());
    let (mut other, _pings) = connect(&auth0).await;
    assert_eq!(send(&auth0, &mut other).await.unwrap(), 200);
}

#[tokio::test]
async fn a_hang_leaves_other_streams_and_pings_alone() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (mut sender, mut pings) = connect(&auth0).await;
    auth0.fault(Route::Discovery, Fault::hang());
    let limit = Duration::from_millis(200);
    assert!(tokio::time::timeout(limit, send(&auth0, &mut sender)).await.is_err());
    pings.ping(Ping::opaque()).await.unwrap();
    assert_eq!(send(&auth0, &mut sender).await.unwrap(), 200);
}

#[tokio::test]
async fn a_close_ends_every_stream() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let (mut sender, _pings) = connect(&auth0).await;
    auth0.fault(Route::Discovery, Fault::close());
    assert!(send(&auth0, &mut sender).await.is_err());
    assert!(send(&auth0, &mut sender).await.is_err());
}
