//! Bodies on their way out: whole, cut short, or slow.

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

/// The body of an answer.
pub(super) enum ResponseBody {
    /// All of it at once.
    Complete(Full<Bytes>),
    /// So much of it, and then the end of the connection.
    Truncated(TruncatedBody),
    /// So many bytes at a time, with a pause after each.
    Slow {
        /// What is still to come.
        rest: Bytes,
        /// How many bytes at a time.
        at_once: usize,
        /// How long the pause is.
        pause: Duration,
        /// The end of the present pause.
        timer: Pin<Box<Sleep>>,
    },
}

/// How far a body that is cut short has come.
pub(super) enum TruncatedBody {
    /// This is still to be sent.
    Part(Bytes),
    /// It is on its way.
    Sent,
    /// There is nothing but the end.
    End,
}

/// What a body that is cut short ends with.
#[derive(Clone, Copy, Debug)]
pub(super) struct TruncatedOnPurpose;

impl fmt::Display for TruncatedOnPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut short on purpose")
    }
}

impl std::error::Error for TruncatedOnPurpose {}

impl From<Infallible> for TruncatedOnPurpose {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// An answer in full.
pub(super) fn complete(response: TenantResponse) -> Response<ResponseBody> {
    with_body(response, |body| ResponseBody::Complete(Full::new(body)))
}

/// An answer of which half the body comes, under the length of the whole.
pub(super) fn truncated(response: TenantResponse) -> Response<ResponseBody> {
    with_body(response, |body| {
        ResponseBody::Truncated(TruncatedBody::Part(body.slice(..body.len() / 2)))
    })
}

/// An answer whose body takes its time.
pub(super) fn slow(
    response: TenantResponse,
    at_once: usize,
    pause: Duration,
) -> Response<ResponseBody> {
    with_body(response, |rest| ResponseBody::Slow {
        rest,
        at_once,
        pause,
        timer: Box::pin(sleep_until(Instant::now())),
    })
}

/// The response of `response` with a body made by `send`.
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
                    // hyper throws away what it has not flushed when a body fails, and flushes
                    // when a body lets it wait.
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                TruncatedBody::End => Poll::Ready(Some(Err(TruncatedOnPurpose))),
            },
            Self::Slow { rest, at_once, pause, timer } => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                std::task::ready!(timer.as_mut().poll(context));
                timer.as_mut().reset(Instant::now() + *pause);
                let part = rest.split_to(rest.len().min(*at_once));
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
            // The header has the length; the body must not be found out before it ends.
            Self::Truncated(_) | Self::Slow { .. } => SizeHint::default(),
        }
    }
}
