//! Attacks with unfinished requests and unread responses, each connection from one of many
//! addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::honest::Honest;
use super::report::{Bounds, Report};
use super::service::Service;

/// Connections of one address: fewer than the service allows.
const PER_ADDRESS: u16 = 40;

/// The longest wait for one step of an attack. The service may have stopped reading.
const STEP: Duration = Duration::from_millis(200);

/// The most events that one address logs in an attack of two minutes.
const EVENTS: usize = 1_400;

/// The maximum number of connections that are being opened.
const AT_ONCE: usize = 64;

const HEAD: &str = "POST /signup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n";

/// Opens the n-th connection, from one of many addresses that are not the proxy's.
async fn connect(address: SocketAddr, n: u16) -> Option<TcpStream> {
    let [high, low] = (n / PER_ADDRESS).to_be_bytes();
    let from = IpAddr::from(Ipv4Addr::new(127, 1, high, low.max(1)));
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(SocketAddr::new(from, 0)).ok()?;
    timeout(STEP, socket.connect(address)).await.ok()?.ok()
}

/// Opens connections that send these bytes and nothing more.
async fn hold(address: SocketAddr, count: u16, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    let mut opening = JoinSet::new();
    for n in 0..count {
        if opening.len() >= AT_ONCE {
            held.extend(opening.join_next().await.and_then(Result::ok).flatten());
        }
        let bytes = bytes.to_vec();
        opening.spawn(async move {
            let mut stream = connect(address, n).await?;
            // The service may have closed the connection already, or read no more.
            drop(timeout(STEP, stream.write_all(&bytes)).await);
            Some(stream)
        });
    }
    held.extend(opening.join_all().await.into_iter().flatten());
    held
}

/// Runs one attack while honest people sign up.
async fn attack(report: &mut Report, name: &str, attacks: &[(u16, Vec<u8>)]) -> anyhow::Result<()> {
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    let mut held = Vec::new();
    for (count, bytes) in attacks {
        held.extend(hold(service.address, *count, bytes).await);
    }
    let connections: usize = attacks.iter().map(|(count, _)| usize::from(*count)).sum();
    let addresses = connections / usize::from(PER_ADDRESS);
    let bounds = Bounds { may_ask: false, ..Bounds::of_many_networks(0, addresses * EVENTS) };
    let done = report.row(name, service, &BTreeMap::new(), honest, bounds).await;
    drop(held);
    done
}

fn half_head() -> Vec<u8> {
    format!("POST /signup HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(60_000)).into_bytes()
}

fn half_body() -> Vec<u8> {
    format!("{HEAD}\r\n{}", "{".repeat(64_000)).into_bytes()
}

fn small_half_body() -> Vec<u8> {
    format!("{HEAD}\r\n{{").into_bytes()
}

/// A whole head, the largest that gets a response.
fn large_head() -> Vec<u8> {
    format!("GET /livez HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(38_000)).into_bytes()
}

/// A request, and a part of the next head in the same write.
fn sent_ahead() -> Vec<u8> {
    format!("GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: {}", "x".repeat(7_000))
        .into_bytes()
}

/// As many requests as a connection takes, for the largest responses.
fn pages() -> Vec<u8> {
    "GET /signup HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n".repeat(500).into_bytes()
}

pub(crate) async fn silent(report: &mut Report) -> anyhow::Result<()> {
    attack(report, "9,000 silent connections", &[(9_000, Vec::new())]).await
}

pub(crate) async fn heads(report: &mut Report) -> anyhow::Result<()> {
    attack(report, "2,000 stalled heads of 60 kB", &[(2_000, half_head())]).await?;
    let half = b"POST /signup HTTP/1.1\r\nHost: a\r\n".to_vec();
    attack(report, "9,000 stalled heads of 34 bytes", &[(9_000, half)]).await?;
    attack(report, "9,000 stalled heads of 7 kB behind a request", &[(9_000, sent_ahead())])
        .await?;
    attack(report, "3,000 idle connections after a head of 38 kB", &[(3_000, large_head())]).await
}

pub(crate) async fn bodies(report: &mut Report) -> anyhow::Result<()> {
    attack(report, "2,000 stalled bodies of 64 kB", &[(2_000, half_body())]).await?;
    attack(report, "9,000 stalled bodies of 1 byte", &[(9_000, small_half_body())]).await
}

/// Each byte arrives alone, so that a reader that keeps a buffer for each would hold thousands.
pub(crate) async fn trickled_bodies(report: &mut Report) -> anyhow::Result<()> {
    let name = "500 bodies that arrive byte by byte";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    let mut held = hold(service.address, 500, &small_half_body()).await;
    for _ in 0..60 {
        for stream in &mut held {
            let _nodelay = stream.set_nodelay(true);
            drop(timeout(STEP, stream.write_all(b"x")).await);
        }
        sleep(Duration::from_millis(20)).await;
    }
    report.row(name, service, &BTreeMap::new(), honest, Bounds::of_one_network(0)).await
}

pub(crate) async fn unread_responses(report: &mut Report) -> anyhow::Result<()> {
    attack(report, "2,000 clients that read no response", &[(2_000, pages())]).await
}

pub(crate) async fn everything(report: &mut Report) -> anyhow::Result<()> {
    let attacks = [
        (1_500, Vec::new()),
        (1_500, half_head()),
        (1_500, half_body()),
        (1_500, small_half_body()),
        (1_000, pages()),
        (1_500, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
    ];
    attack(report, "8,500 connections of all these kinds", &attacks).await
}
