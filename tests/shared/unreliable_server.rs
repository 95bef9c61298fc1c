//! A proxy before the tests' PostgreSQL server, which loses replies and falls silent.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use crate::server::server;
use crate::temp_dir::TempDir;

/// The socket's name in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// The state that all connections share.
#[derive(Default)]
struct Switches {
    /// The next reply to a statement is lost with its connection, after this work.
    lose_reply: Mutex<Option<BoxFuture<'static, ()>>>,
    /// The next connection that a reply is sent over breaks instead.
    break_connection: AtomicBool,
    /// The number of connections that were opened.
    opened: AtomicUsize,
    /// The number of connections that clients have not closed.
    open: AtomicUsize,
    /// Connections up to this number forward nothing.
    silent: AtomicUsize,
}

impl fmt::Debug for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switches").finish_non_exhaustive()
    }
}

/// The proxy. Its folder holds the socket.
#[derive(Debug)]
pub(crate) struct UnreliableServer {
    folder: TempDir,
    switches: Arc<Switches>,
}

impl UnreliableServer {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let switches = Arc::new(Switches::default());
        let shared = Arc::clone(&switches);
        let (_, host) = server().split_once("?host=").expect("a socket");
        let upstream = PathBuf::from(host).join(SOCKET);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = shared.opened.fetch_add(1, Ordering::SeqCst) + 1;
                let Ok(server) = UnixStream::connect(&upstream).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let requests = forward(from_client, to_server, Arc::clone(&shared), number, false);
                let replies = forward(from_server, to_client, Arc::clone(&shared), number, true);
                // When one direction ends, both do.
                let shared = Arc::clone(&shared);
                shared.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::select! { () = requests => {}, () = replies => {} }
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { folder, switches }
    }

    /// The URL of a database behind the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.path().display())
    }

    /// Loses the next reply to a statement, with its connection. Its transaction has ended by then. The reply
    /// to the preparation of a statement is not lost.
    pub(crate) fn lose_reply(&self) {
        self.lose_reply_after(ready(()));
    }

    /// Loses the next reply like [`Self::lose_reply`], but does this work before the client notices.
    pub(crate) fn lose_reply_after(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.switches.lose_reply.lock() = Some(Box::pin(work));
    }

    /// Breaks the next connection that the server sends anything over, such as its response to a login.
    pub(crate) fn break_connection(&self) {
        self.switches.break_connection.store(true, Ordering::SeqCst);
    }

    /// Returns whether a connection broke since [`Self::break_connection`].
    pub(crate) fn has_broken_connection(&self) -> bool {
        !self.switches.break_connection.load(Ordering::SeqCst)
    }

    /// Returns whether a reply was lost since [`Self::lose_reply`].
    pub(crate) fn has_lost_reply(&self) -> bool {
        self.switches.lose_reply.lock().is_none()
    }

    /// Silences every open connection without closing it.
    pub(crate) fn silence(&self) {
        self.switches.silent.store(self.opened(), Ordering::SeqCst);
    }

    /// Silences every connection, also those that are opened later.
    pub(crate) fn silence_for_good(&self) {
        self.switches.silent.store(usize::MAX, Ordering::SeqCst);
    }

    /// Makes every further connection fail, as without a server.
    pub(crate) fn take_away(&self) {
        std::fs::remove_file(self.folder.path().join(SOCKET)).expect("a socket");
    }

    /// The number of connections that clients have not closed.
    pub(crate) fn open(&self) -> usize {
        self.switches.open.load(Ordering::SeqCst)
    }

    /// The number of connections that were opened.
    pub(crate) fn opened(&self) -> usize {
        self.switches.opened.load(Ordering::SeqCst)
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    switches: Arc<Switches>,
    number: usize,
    is_reply: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if length == 0 {
            return;
        }
        if is_reply && switches.break_connection.swap(false, Ordering::SeqCst) {
            return;
        }
        if is_reply && ends_transaction(&buffer[..length]) {
            let lost = switches.lose_reply.lock().take();
            if let Some(work) = lost {
                work.await;
                return;
            }
        }
        if number <= switches.silent.load(Ordering::SeqCst) {
            // Until the client closes it.
            while from.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Returns whether these messages end a transaction that has executed something: a statement's `CommandComplete`,
/// and `ReadyForQuery` outside a transaction.
fn ends_transaction(mut messages: &[u8]) -> bool {
    let mut is_complete = false;
    while let [kind, a, b, c, d, rest @ ..] = messages {
        let length = u32::from_be_bytes([*a, *b, *c, *d]).saturating_sub(4);
        let length = usize::try_from(length).expect("32 bits");
        let Some((body, further)) = rest.split_at_checked(length) else { break };
        is_complete |= *kind == b'C';
        if is_complete && *kind == b'Z' && body == b"I" {
            return true;
        }
        messages = further;
    }
    false
}
