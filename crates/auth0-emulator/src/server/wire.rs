//! A connection that can be broken on purpose, below HTTP and above TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::locked::Locked;

/// The underlying stream.
pub(super) enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum WireMode {
    /// Working normally.
    #[default]
    Open,
    /// To be closed.
    Closed,
    /// To be reset.
    Reset,
    /// Open, but sending nothing more.
    Silent,
}

/// Breaks a connection from another task.
#[derive(Debug, Default)]
pub(crate) struct WireControl(Locked<(WireMode, Option<Waker>)>);

impl WireControl {
    /// Closes the connection.
    pub(super) fn close(&self) {
        self.set(WireMode::Closed);
    }

    /// Resets the connection.
    pub(super) fn reset(&self) {
        self.set(WireMode::Reset);
    }

    /// Leaves the connection open and silent.
    pub(crate) fn silence(&self) {
        self.set(WireMode::Silent);
    }

    /// Changes the mode and wakes the connection.
    fn set(&self, mode: WireMode) {
        let waker = self.0.with(|(current, waker)| {
            *current = mode;
            waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The current mode. `context` is woken when it changes.
    fn mode(&self, context: &Context<'_>) -> WireMode {
        self.0.with(|(mode, waker)| {
            if waker.as_ref().is_none_or(|current| !current.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
            *mode
        })
    }
}

/// A connection that a [`WireControl`] can break.
pub(super) struct Wire {
    /// The connection.
    stream: Stream,
    /// Breaks the connection.
    control: Arc<WireControl>,
}

impl Wire {
    /// Puts `stream` under `control`.
    pub(super) fn new(stream: Stream, control: Arc<WireControl>) -> Self {
        Self { stream, control }
    }

    /// The underlying stream as a trait object.
    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream),
            Stream::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }

    /// Polls what a broken connection does instead of I/O. Returns `None` if it works normally.
    fn poll_broken(&self, context: &mut Context<'_>) -> Option<Poll<io::Error>> {
        match self.control.mode(context) {
            WireMode::Open => None,
            WireMode::Closed | WireMode::Reset => {
                Some(Poll::Ready(io::ErrorKind::ConnectionAborted.into()))
            }
            WireMode::Silent => Some(Poll::Pending),
        }
    }
}

/// Both directions of a stream.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.poll_broken(context) {
            Some(error) => error.map(Err),
            None => self.stream().poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.poll_broken(context) {
            Some(error) => error.map(Err),
            None => self.stream().poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_broken(context) {
            Some(error) => error.map(Err),
            None => self.stream().poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_broken(context) {
            Some(error) => error.map(Err),
            None => self.stream().poll_shutdown(context),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.0.with(|(mode, _)| *mode == WireMode::Reset) {
            let tcp = match &self.stream {
                Stream::Plain(tcp) => tcp,
                Stream::Tls(stream) => stream.get_ref().0,
            };
            // With zero linger the kernel sends RST rather than FIN.
            drop(tcp.set_zero_linger());
        }
    }
}
