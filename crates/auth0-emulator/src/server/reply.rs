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

use crate::answer::Answer;

/// The body of an answer.
pub(super) enum ReplyBody {
    /// All of it at once.
    Whole(Full<Bytes>),
    /// So much of it, and then the end of the connection.
    Cut(Cut),
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
pub(super) enum Cut {
    /// This is still to be sent.
    Part(Bytes),
    /// It is on its way.
    Sent,
    /// There is nothing but the end.
    End,
}

/// What a body that is cut short ends with.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutShort;

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut short on purpose")
    }
}

impl std::error::Error for CutShort {}

impl From<Infallible> for CutShort {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// An answer in full.
pub(super) fn whole(answer: Answer) -> Response<ReplyBody> {
    respond(answer, |body| ReplyBody::Whole(Full::new(body)))
}

/// An answer of which half the body comes, under the length of the whole.
pub(super) fn cut(answer: Answer) -> Response<ReplyBody> {
    respond(answer, |body| ReplyBody::Cut(Cut::Part(body.slice(..body.len() / 2))))
}

/// An answer whose body takes its time.
pub(super) fn slow(answer: Answer, at_once: usize, pause: Duration) -> Response<ReplyBody> {
    respond(answer, |rest| ReplyBody::Slow {
        rest,
        at_once,
        pause,
        timer: Box::pin(sleep_until(Instant::now())),
    })
}

/// The response of `answer` with a body made by `send`.
fn respond(answer: Answer, send: impl FnOnce(Bytes) -> ReplyBody) -> Response<ReplyBody> {
    let length = HeaderValue::from(answer.body.len());
    let mut response = Response::new(send(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if answer.status != http::StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match &mut *self {
            Self::Whole(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|f| f.map_err(Into::into)))
            }
            Self::Cut(cut) => match mem::replace(cut, Cut::End) {
                Cut::Part(part) => {
                    *cut = Cut::Sent;
                    Poll::Ready(Some(Ok(Frame::data(part))))
                }
                Cut::Sent => {
                    // hyper throws away what it has not flushed when a body fails, and flushes
                    // when a body lets it wait.
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Cut::End => Poll::Ready(Some(Err(CutShort))),
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
            Self::Whole(body) => body.is_end_stream(),
            Self::Cut(_) => false,
            Self::Slow { rest, .. } => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            // The header has the length; the body must not be found out before it ends.
            Self::Cut(_) | Self::Slow { .. } => SizeHint::default(),
        }
    }
}
