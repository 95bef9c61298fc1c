//! Request bodies: read within bounds, decoded by media type into members.

mod json;
mod media_type;
mod multipart;
mod urlencoded;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::time::timeout;

use self::media_type::MediaType;
use super::extensions::client;
use super::problem::{Problem, ProblemCode};
use super::server::{FormUnderWay, RequestConnection};
use crate::form::BodyMembers;

/// The most bytes of a body.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// The bytes that a buffer has room for at first: enough for most forms. More is allocated as it
/// arrives, since a client may announce more than it sends.
const USUAL: usize = 2 * 1024;

/// The wait of a client that has too many unfinished bodies, or too many requests under way.
const BUSY: Duration = Duration::from_secs(1);

/// A complete body and its media type.
///
/// It holds the password, so it has no `Debug`.
pub(crate) struct Form {
    media_type: MediaType,
    bytes: Bytes,
}

impl Form {
    /// Reads the body if its head permits it.
    ///
    /// # Errors
    /// 415 before reading, 413 as soon as the size is known, 408 when the body takes too long or the
    /// service needs its memory for others, 429 when the client has too many unfinished bodies, or
    /// already has as many forms under way as the remaining memory would hold, 503 when no
    /// memory is left.
    pub(in crate::http) async fn read(
        request: Request<Body>,
        limit: Duration,
        connection: RequestConnection,
    ) -> Result<(Self, FormUnderWay), Problem> {
        let client = client(&request);
        let (head, body) = request.into_parts();
        let media_type = MediaType::from_headers(&head.headers)?;
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > MAX_BODY {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        let too_many = || Problem::new(ProblemCode::RateLimited).retry_after(BUSY);
        let waiting = connection.wait_for_body(client).ok_or_else(too_many)?;
        // The head's buffer is as large as a head may be.
        drop(head);
        let collected = tokio::select! {
            // To cut a body that has arrived would free nothing.
            biased;
            collected = timeout(limit, collect(body, announced)) => collected.ok(),
            () = waiting.cut() => None,
        };
        let bytes = collected.ok_or_else(|| Problem::new(ProblemCode::RequestTimeout))??;
        waiting.set_read();
        let under_way = match waiting.room() {
            0 => return Err(Problem::new(ProblemCode::Unavailable)),
            room => waiting.complete(room).ok_or_else(too_many)?,
        };
        Ok((Self { media_type, bytes: bytes.into() }, under_way))
    }

    /// A form with this body, as a fuzz target makes it without a connection.
    ///
    /// # Errors
    /// 415 for another media type than those of forms.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn from_bytes(headers: &http::HeaderMap, bytes: Bytes) -> Result<Self, Problem> {
        Ok(Self { media_type: MediaType::from_headers(headers)?, bytes })
    }

    /// Decodes the body into its members, in their order.
    ///
    /// # Errors
    /// 400 when the body does not match its media type, 413 for too many members, 415 for another
    /// charset than UTF-8.
    pub(crate) async fn members(&self) -> Result<BodyMembers<'_>, Problem> {
        Ok(match &self.media_type {
            MediaType::Json => json::members(&self.bytes)?,
            MediaType::Urlencoded => urlencoded::members(&self.bytes)?,
            MediaType::Multipart { boundary } => {
                // Boxed, since it is rare and would make the future of every request larger.
                Box::pin(multipart::members(self.bytes.clone(), boundary)).await?
            }
        })
    }
}

/// Copies a body into one buffer. Each frame is part of a buffer of hyper's, which a few bytes would
/// keep.
async fn collect(mut body: Body, announced: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(announced.min(USUAL));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::new(cause(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The reason that a body was not read to its end: the service ended the connection, or the body is broken or
/// shorter than announced.
fn cause(error: &axum::Error) -> ProblemCode {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return ProblemCode::RequestTimeout;
        }
        source = error.source();
    }
    ProblemCode::MalformedBody
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_the_service_ends_is_not_malformed() {
        for (kind, code) in [
            (io::ErrorKind::TimedOut, ProblemCode::RequestTimeout),
            (io::ErrorKind::UnexpectedEof, ProblemCode::MalformedBody),
        ] {
            let frames =
                stream::iter([Ok(Bytes::from_static(b"email=a")), Err(io::Error::from(kind))]);
            let problem = collect(Body::from_stream(frames), 0).await.unwrap_err();
            assert_eq!(problem.code, code, "{kind}");
        }
    }
}
