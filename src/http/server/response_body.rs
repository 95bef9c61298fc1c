//! The body of a response, which ends the request that it responds to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::conn_state::TrackedConnection;

/// A response's body. Once it is sent and dropped, the request has ended.
#[derive(Debug)]
pub(super) struct TrackedBody {
    body: Body,
    connection: Arc<TrackedConnection>,
}

impl TrackedBody {
    pub(super) fn new(body: Body, connection: Arc<TrackedConnection>) -> Self {
        let bytes = hyper::body::Body::size_hint(&body).lower();
        connection.add_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        Self { body, connection }
    }
}

impl hyper::body::Body for TrackedBody {
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

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.connection.end_request();
    }
}
