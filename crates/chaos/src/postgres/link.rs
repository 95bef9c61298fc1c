//! A port that forwards connections to a server, and that fails as a network does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::replies::ReplyScanner;

/// The size of the buffer for each direction of a connection.
const BUFFER: usize = 16 * 1024;

/// The socket that links connect to. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Target(Arc<Mutex<PathBuf>>);

impl Target {
    /// The socket at this path.
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(socket)))
    }

    /// Replaces the socket for later connections.
    pub(crate) fn set(&self, socket: PathBuf) {
        *self.0.lock() = socket;
    }

    fn get(&self) -> PathBuf {
        self.0.lock().clone()
    }
}

/// The treatment of the bytes of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// They are forwarded.
    Forwarded,
    /// They are kept back, and new connections get no response.
    Silent,
    /// Some replies are cut off and their connections closed, after the server has acted.
    CutOff {
        /// The percentage of replies.
        percent: u8,
    },
}

/// The state that every connection follows. Connections are numbered from 0.
#[derive(Debug, Clone, Copy)]
struct LinkState {
    traffic: Traffic,
    /// Connections with a smaller number are closed.
    closed_before: u64,
    /// Connections with a smaller number forward nothing any more, and stay open.
    dead_before: u64,
}

/// The parts that every connection shares.
#[derive(Debug)]
struct Inner {
    target: Target,
    state: watch::Sender<LinkState>,
    /// The number of the next connection.
    next: AtomicU64,
}

/// A port with its connections. Dropping it closes all of them.
#[derive(Debug)]
pub(crate) struct Link {
    port: u16,
    inner: Arc<Inner>,
    _acceptor: JoinSet<()>,
}

impl Link {
    /// Opens a port.
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let state = LinkState { traffic: Traffic::Forwarded, closed_before: 0, dead_before: 0 };
        let state = watch::Sender::new(state);
        let inner = Arc::new(Inner { target: target.clone(), state, next: AtomicU64::new(0) });
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, Arc::clone(&inner)));
        Ok(Self { port, inner, _acceptor: acceptor })
    }

    /// The port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database behind the link. Nothing is encrypted, so that replies can be found.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The same for PostgreSQL's own programs, without a database.
    pub(crate) fn parameters(&self) -> String {
        format!(
            "host=127.0.0.1 port={} user=postgres sslmode=disable gssencmode=disable",
            self.port
        )
    }

    /// Treats the bytes of all connections in this way from now on.
    pub(crate) fn set_traffic(&self, traffic: Traffic) {
        self.inner.state.send_modify(|state| state.traffic = traffic);
    }

    /// Closes all current connections.
    pub(crate) fn close_connections(&self) {
        let next = self.inner.next.load(Ordering::SeqCst);
        self.inner.state.send_modify(|state| state.closed_before = next);
    }

    /// Lets all current connections die without a sign.
    pub(crate) fn abandon_connections(&self) {
        let next = self.inner.next.load(Ordering::SeqCst);
        self.inner.state.send_modify(|state| state.dead_before = next);
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        // Out of file descriptors, or the client is gone already.
        let Ok((client, _)) = listener.accept().await else { continue };
        let number = inner.next.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(client, number, Arc::clone(&inner)));
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards a connection until one side closes it or the link fails.
async fn serve(mut client: TcpStream, number: u64, inner: Arc<Inner>) {
    let mut state = inner.state.subscribe();
    let mut watched = state.clone();
    let is_gone = |state: &LinkState| number < state.closed_before.max(state.dead_before);
    let target = inner.target.get();
    tokio::select! {
        // First, so that a dead connection does not forward what it held back.
        biased;
        _gone = watched.wait_for(is_gone) => {}
        // A failure of either side ends the connection.
        _ended = forward(&mut client, &target, state.clone()) => {}
    }
    if number < state.borrow_and_update().dead_before {
        // The client's bytes disappear, and its end is not noticed by the server.
        drop(copy(&mut client, &mut sink()).await);
    }
}

async fn forward(
    client: &mut TcpStream,
    target: &Path,
    mut state: watch::Receiver<LinkState>,
) -> std::io::Result<()> {
    wait_while_silent(&mut state).await;
    client.set_nodelay(true)?;
    let mut server = UnixStream::connect(target).await?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        ended = forward_requests(from_client, to_server, state.clone()) => ended,
        ended = forward_replies(from_server, to_client, state.clone()) => ended,
    }
}

async fn forward_requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<LinkState>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        wait_while_silent(&mut state).await;
        if length == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..length).unwrap_or_default()).await?;
    }
}

async fn forward_replies(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<LinkState>,
) -> std::io::Result<()> {
    let mut scanner = ReplyScanner::default();
    let mut buffer = vec![0; BUFFER];
    let mut held = Vec::new();
    loop {
        let length = from.read(&mut buffer).await?;
        wait_while_silent(&mut state).await;
        let bytes = buffer.get(..length).unwrap_or_default();
        let is_complete = scanner.scan(bytes);
        held.extend_from_slice(bytes);
        let traffic = state.borrow().traffic;
        if let Traffic::CutOff { percent } = traffic
            && length > 0
        {
            if !is_complete {
                continue;
            }
            if rand::random_ratio(percent.into(), 100) {
                held.truncate(rand::random_range(0..held.len()));
                return to.write_all(&held).await;
            }
        }
        to.write_all(&held).await?;
        held.clear();
        if length == 0 {
            return Ok(());
        }
    }
}

async fn wait_while_silent(state: &mut watch::Receiver<LinkState>) {
    // The sender lives as long as the link's tasks, so that the wait cannot fail.
    drop(state.wait_for(|state| state.traffic != Traffic::Silent).await);
}
