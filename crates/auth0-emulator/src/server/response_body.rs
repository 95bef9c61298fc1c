//! Response bodies: complete, truncated, or slow.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::response::TenantResponse;

/// The body of a response.
pub(super) enum ResponseBody {
    /// The complete body.
    Complete(Full<Bytes>),
    /// Part of the body, then the end of the connection.
    Truncated(TruncatedBody),
    /// A few bytes at a time, with a pause after each write.
    Slow {
        /// The bytes not sent yet.
        rest: Bytes,
        /// The number of bytes per write.
        chunk_size: usize,
        /// The pause after each write.
        pause: Duration,
        /// The end of the current pause.
        timer: Pin<Box<Sleep>>,
    },
}

/// The progress of a truncated body.
pub(super) enum TruncatedBody {
    /// These bytes are still to be sent.
    Part(Bytes),
    /// The bytes have been handed to hyper.
    Sent,
    /// Only the error is left.
    End,
}

/// The error that ends a truncated body.
#[derive(Clone, Copy, Debug)]
pub(super) struct TruncatedOnPurpose;

impl fmt::Display for TruncatedOnPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("body truncated by an injected fault")
    }
}

impl std::error::Error for TruncatedOnPurpose {}

impl From<Infallible> for TruncatedOnPurpose {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A complete response.
pub(super) fn complete(response: TenantResponse) -> Response<ResponseBody> {
    with_body(response, |body| ResponseBody::Complete(Full::new(body)))
}

/// A response with half the body and the full `Content-Length`.
pub(super) fn truncated(response: TenantResponse) -> Response<ResponseBody> {
    with_body(response, |body| {
        ResponseBody::Truncated(TruncatedBody::Part(body.slice(..body.len() / 2)))
    })
}

/// A response with a slow body.
pub(super) fn slow(
    response: TenantResponse,
    chunk_size: usize,
    pause: Duration,
) -> Response<ResponseBody> {
    with_body(response, |rest| ResponseBody::Slow {
        rest,
        chunk_size,
        pause,
        timer: Box::pin(sleep_until(Instant::now())),
    })
}

/// Builds the HTTP response, with the body that `send` makes.
fn with_body(
    response: TenantResponse,
    send: impl FnOnce(Bytes) -> ResponseBody,
) -> Response<ResponseBody> {
    let length = HeaderValue::from(response.body.len());
    let mut http_response = Response::new(send(response.body));
    *http_response.status_mut() = response.status;
    *http_response.headers_mut() = response.headers;
    if response.status != http::StatusCode::NO_CONTENT {
        http_response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    http_response
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = TruncatedOnPurpose;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TruncatedOnPurpose>>> {
        match &mut *self {
            Self::Complete(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|f| f.map_err(Into::into)))
            }
            Self::Truncated(truncated) => match mem::replace(truncated, TruncatedBody::End) {
                TruncatedBody::Part(part) => {
                    *truncated = TruncatedBody::Sent;
                    Poll::Ready(Some(Ok(Frame::data(part))))
                }
                TruncatedBody::Sent => {
                    // hyper discards unflushed bytes when a body fails, and flushes them when a
                    // body returns pending.
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                TruncatedBody::End => Poll::Ready(Some(Err(TruncatedOnPurpose))),
            },
            Self::Slow { rest, chunk_size, pause, timer } => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                std::task::ready!(timer.as_mut().poll(context));
                timer.as_mut().reset(Instant::now() + *pause);
                let part = rest.split_to(rest.len().min(*chunk_size));
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Complete(body) => body.is_end_stream(),
            Self::Truncated(_) => false,
            Self::Slow { rest, .. } => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(body) => body.size_hint(),
            // The header has the length. The size hint must not reveal that the body is shorter.
            Self::Truncated(_) | Self::Slow { .. } => SizeHint::default(),
        }
    }
}
