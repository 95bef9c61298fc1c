//! The socket as hyper sees it: it fails when the client has been waited for long enough.
//!
//! hyper has one timer for the wait between requests and for the head; those pull in different
//! directions, so its timer is off and the phases are told apart here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::conn_state::{Connection, Deadlines, Phase};
use crate::telemetry::{ConnectionEnd, HttpMetrics};

/// How long a client may refuse to take any byte of an answer.
const WRITE_STALL: Duration = Duration::from_secs(20);

/// The socket of a connection, and its deadlines.
#[derive(Debug)]
pub(super) struct TimeoutStream {
    /// There until the end.
    socket: Option<TcpStream>,
    connection: Arc<Connection>,
    deadlines: Deadlines,
    metrics: HttpMetrics,
    /// Made at the first wait and moved from then on.
    timer: Option<Pin<Box<Sleep>>>,
    /// While the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Whether nothing more is to be said or heard.
    over: bool,
}

impl TimeoutStream {
    pub(super) const fn new(
        socket: TcpStream,
        connection: Arc<Connection>,
        deadlines: Deadlines,
        metrics: HttpMetrics,
    ) -> Self {
        let socket = Some(socket);
        Self { socket, connection, deadlines, metrics, timer: None, stalled: None, over: false }
    }

    /// The socket, pinned; it is only taken when this is dropped.
    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn end(&mut self, end: ConnectionEnd) -> io::Error {
        // hyper may look again after it was told.
        if !self.over {
            self.over = true;
            self.metrics.connection_ended(end);
        }
        io::Error::new(io::ErrorKind::TimedOut, end.name())
    }

    /// Waits for the end of the phase; pending for ever while a request is under way.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.connection.deadline(&self.deadlines) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(self.end(self.connection.phase().end()))
    }

    /// What a write came to; an error when the client has taken nothing for too long.
    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
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
        let before = buffer.filled().len();
        match self.socket()?.poll_read(context, buffer) {
            Poll::Ready(read) => {
                let is_more = buffer.filled().len() > before;
                self.over |= !is_more || read.is_err();
                if is_more && matches!(self.connection.phase(), Phase::Silent | Phase::Idle) {
                    self.connection.enter(Phase::Head);
                }
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_deadline(context).map(Err),
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
        self.written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.socket()?.poll_write_vectored(context, bytes);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket()?.poll_flush(context))?;
        // hyper last looks for a request before the answer has gone out, when no deadline runs yet.
        match self.poll_deadline(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}

impl Drop for TimeoutStream {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take().filter(|_| !self.over) {
            self.connection.leave(socket);
        }
    }
}

/// The body of an answer; when it has gone out, the connection waits for the next request.
#[derive(Debug)]
pub(super) struct LastWord {
    body: Body,
    connection: Arc<Connection>,
}

impl LastWord {
    pub(super) const fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl hyper::body::Body for LastWord {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        self.connection.enter(Phase::Idle);
    }
}
