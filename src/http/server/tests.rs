//! Connections at a stop, evicted ones, and refused ones.

use std::future::ready;
use std::io::{self, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use axum::Router;
use axum::handler::Handler;
use axum::routing::get;
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::conn_state::ConnState;
use super::*;
use crate::abuse::Proxies;

#[tokio::test]
async fn an_evicted_connection_is_not_dropped_while_a_request_is_handled() {
    let limits =
        ConnectionLimits { all: 1, per_address: 1, unfinished_per_address: 1, memory: 1024 * 1024 };
    for (state, is_dropped) in [
        (ConnState::New, true),
        (ConnState::Headers, true),
        (ConnState::Body, false),
        (ConnState::Active, false),
        (ConnState::Idle, true),
    ] {
        let table = ConnectionTable::new(limits, HttpMetrics::default());
        let guard = table.admit(Ipv4Addr::LOCALHOST.into(), false).unwrap();
        // It is evicted while it waits for a request, whose last bytes arrive just then.
        guard.connection.close_for_others();
        guard.connection.enter(state);
        let served = serve(pending(), &guard.connection).now_or_never();
        assert_eq!(served.is_some(), is_dropped, "{state:?}");
    }
}

/// A log that sends what is written to it.
struct Log(mpsc::Sender<Vec<u8>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server for this many connections.
fn server<H: Handler<T, ()>, T: 'static>(
    listener: TcpListener,
    all: usize,
    handler: H,
) -> HttpServer {
    let minute = Duration::from_mins(1);
    HttpServer {
        listener,
        limits: ConnectionLimits {
            all,
            per_address: usize::MAX,
            unfinished_per_address: usize::MAX,
            memory: 1024 * 1024,
        },
        deadlines: Deadlines { first_byte: minute, header: minute, idle: minute },
        live: LiveRouter::new(Routing {
            router: Router::new().route("/", get(handler)),
            proxies: Arc::new(Proxies::none()),
        }),
        metrics: HttpMetrics::default(),
        refusal_warning: Some("refused a connection"),
    }
}

/// A proxy in front has sent their requests, and sends none twice.
#[tokio::test]
async fn connections_that_the_system_has_accepted_get_their_responses_at_a_stop() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    // Without the runtime, so that the server has not seen them when it stops.
    let queued = [(); 20].map(|()| {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        client.set_read_timeout(Some(CLOSING)).unwrap();
        client
    });
    let handler = async || {
        sleep(CLOSING * 2).await;
        "served"
    };
    server(listener, 100, handler).run(ready(())).await;
    for mut client in queued {
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.ends_with("served"), "{response}");
    }
    assert!(std::net::TcpStream::connect(address).is_err(), "nothing is queued after it");
}

/// Sends half a head now, and the rest after this time. Returns the response.
async fn late_request(address: SocketAddr, after: Duration) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    sleep(after).await;
    client.write_all(b"Host: x\r\n\r\n").await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    response
}

/// The drain and the connections run on different threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_after_a_request_that_starts_during_it() {
    let tick = CLOSING / 10;
    let drains = (0..20).map(async |_| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_served = Arc::new(AtomicBool::new(false));
        let served = Arc::clone(&is_served);
        let handler = async move || {
            sleep(CLOSING * 2).await;
            served.store(true, Ordering::Relaxed);
        };
        let drain = async {
            server(listener, 100, handler).run(sleep(tick)).await;
            assert!(is_served.load(Ordering::Relaxed), "the drain ended first");
        };
        tokio::join!(drain, late_request(address, tick * 2))
    });
    futures_util::future::join_all(drains).await;
}

#[tokio::test]
async fn clients_that_complete_heads_one_by_one_do_not_hold_a_drain() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let pause = CLOSING * 3 / 4;
    let clients = (1..=40).map(|nth| late_request(address, pause * nth));
    let stopped = Instant::now();
    tokio::select! {
        () = server(listener, 100, async || "served").run(sleep(CLOSING)) => {}
        _ = futures_util::future::join_all(clients) => unreachable!("it ends first"),
    }
    assert!(stopped.elapsed() < BODIES_AT_SHUTDOWN * 3, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn refused_connections_are_one_warning() {
    let (log_tx, log_rx) = mpsc::channel();
    let log = move || Log(log_tx.clone());
    let _log = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(log).finish(),
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let handled = Arc::new(Notify::new());
    let is_handled = Arc::clone(&handled);
    let handler = async move || {
        is_handled.notify_one();
        pending::<()>().await;
    };
    let server = server(listener, 1, handler);
    let clients = async {
        let mut active = TcpStream::connect(address).await.unwrap();
        active.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        handled.notified().await;
        for _ in 0..2 {
            let mut refused = TcpStream::connect(address).await.unwrap();
            let mut response = String::new();
            refused.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with("HTTP/1.1 503"), "{response}");
        }
    };
    tokio::select! {
        () = server.run(pending()) => {}
        () = clients => {}
    }
    let lines: Vec<_> = log_rx.try_iter().collect();
    let lines = String::from_utf8(lines.concat()).unwrap();
    assert_eq!(lines.matches("WARN").count(), 1, "{lines}");
    assert!(lines.contains("refused a connection"), "{lines}");
}
