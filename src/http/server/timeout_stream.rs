//! The socket that hyper reads and writes: it fails when the client exceeds a deadline.
//!
//! hyper has one timer for the wait between requests and for the head. The two need different
//! lengths, so hyper's timer is off and this stream keeps one for each state.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use zeroize::Zeroize as _;

use super::conn_state::{ConnState, Deadlines, TrackedConnection};
use super::connection_table::{ConnectionGuard, ConnectionTable};
use crate::telemetry::{ConnectionEnd, HttpMetrics};

/// The longest time that a client may go without reading a byte of the response.
const WRITE_STALL: Duration = Duration::from_secs(20);

/// The most bytes of one read: less than hyper's first buffer, which hyper enlarges for a client that
/// fills it.
const CHUNK: usize = 8 * 1024 - 1;

/// The socket of a connection, with its deadlines.
#[derive(Debug)]
pub(super) struct TimeoutStream {
    /// `Some` until this is dropped.
    socket: Option<TcpStream>,
    connection: Arc<TrackedConnection>,
    table: ConnectionTable,
    deadlines: Deadlines,
    metrics: HttpMetrics,
    /// Created at the first wait, reset for later ones.
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs while the client reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// True once nothing more is read or written.
    over: bool,
}

impl TimeoutStream {
    pub(super) fn new(
        socket: TcpStream,
        guard: &ConnectionGuard,
        deadlines: Deadlines,
        metrics: HttpMetrics,
    ) -> Self {
        Self {
            socket: Some(socket),
            connection: Arc::clone(&guard.connection),
            table: guard.table.clone(),
            deadlines,
            metrics,
            timer: None,
            stalled: None,
            over: false,
        }
    }

    /// Records bytes that were read.
    ///
    /// # Errors
    /// When the connection holds much, and evictions do not free memory fast enough.
    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        if matches!(self.connection.state(), ConnState::New | ConnState::Idle) {
            self.connection.enter(ConnState::Headers);
        }
        self.connection.add_request(bytes);
        self.table.free_memory();
        if self.connection.holds_much() && self.table.is_memory_critical() {
            return Err(self.end(ConnectionEnd::Evicted));
        }
        Ok(())
    }

    /// Counts a head of which only a part has arrived.
    ///
    /// # Errors
    /// When its address has too many of them.
    fn count_unfinished(&mut self) -> io::Result<()> {
        let connection = &self.connection;
        let counts = connection.state() == ConnState::Headers && !connection.is_proxy;
        if !counts || self.table.count_unfinished_head(connection) {
            return Ok(());
        }
        Err(self.end(ConnectionEnd::Unfinished))
    }

    /// The socket, pinned. Only `drop` takes it.
    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn end(&mut self, end: ConnectionEnd) -> io::Error {
        // hyper may poll again after it received the error.
        if !self.over {
            self.over = true;
            self.metrics.connection_ended(end);
        }
        io::Error::new(io::ErrorKind::TimedOut, end.name())
    }

    /// Resolves at the deadline of the current state; never while a request is being handled.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some((deadline, end)) = self.connection.deadline(&self.deadlines) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(self.end(end))
    }

    /// Returns the result of a write, or an error when the client has read nothing for too long.
    fn check_stall(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.connection.set_stalled(written.is_pending());
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        self.table.free_memory();
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_STALL)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(self.end(ConnectionEnd::SlowReader)))
    }
}

impl AsyncRead for TimeoutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let most = buffer.remaining().min(CHUNK);
        let mut chunk = ReadBuf::uninit(chunk.get_mut(..most).unwrap_or_default());
        match self.socket()?.poll_read(context, &mut chunk) {
            Poll::Ready(read) => {
                let bytes = chunk.filled();
                buffer.put_slice(bytes);
                self.over |= bytes.is_empty() || read.is_err();
                let received = if bytes.is_empty() { Ok(()) } else { self.received(bytes) };
                // It may hold a password, and the stack is not wiped.
                chunk.filled_mut().zeroize();
                received?;
                Poll::Ready(read)
            }
            Poll::Pending => {
                self.count_unfinished()?;
                self.poll_deadline(context).map(Err)
            }
        }
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.socket()?.poll_write(context, bytes);
        self.check_stall(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.socket()?.poll_write_vectored(context, bytes);
        self.check_stall(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket()?.poll_flush(context))?;
        // hyper last polls for a request before the response is sent, when no deadline runs yet.
        match self.poll_deadline(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.connection.flushed();
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}

impl Drop for TimeoutStream {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take().filter(|_| !self.over) {
            self.connection.store_socket(socket);
        }
    }
}
