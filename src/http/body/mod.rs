//! Bodies in: read within their bounds, decoded by media type into members.

mod json;
mod media_type;
mod multipart;
mod urlencoded;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use self::media_type::MediaType;
use super::problem::{Problem, ProblemCode};
use crate::form::BodyMembers;

/// The most bytes of a body.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// A body that arrived whole, and how to read it.
///
/// Holds what was typed, the password included, so it has no `Debug`.
pub(crate) struct Form {
    media_type: MediaType,
    bytes: Bytes,
}

impl Form {
    /// Reads the body, after the head has shown that it can be read at all.
    ///
    /// # Errors
    /// 415 before anything is read, 413 as soon as it is known, 408 when it takes too long.
    pub(crate) async fn read(request: Request<Body>, limit: Duration) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let media_type = media_type(&head.headers)?;
        if announced_length(&head.headers).is_some_and(|length| length > MAX_BODY) {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        let whole = timeout(limit, Limited::new(body, MAX_BODY).collect());
        match whole.await {
            Ok(Ok(whole)) => Ok(Self { media_type, bytes: whole.to_bytes() }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Problem::new(ProblemCode::BodyTooLarge))
            }
            Ok(Err(_)) => Err(Problem::new(ProblemCode::MalformedBody)),
            Err(_) => Err(Problem::new(ProblemCode::RequestTimeout)),
        }
    }

    /// Decodes it into its members as they stand there.
    ///
    /// # Errors
    /// 400 when it is not what the media type says, 413 for too many parts.
    pub(crate) async fn members(&self) -> Result<BodyMembers<'_>, Problem> {
        Ok(match &self.media_type {
            MediaType::Json => json::members(&self.bytes)?,
            MediaType::Urlencoded => urlencoded::members(&self.bytes)?,
            MediaType::Multipart { boundary } => {
                // Boxed: what is rare is not to make every request larger.
                Box::pin(multipart::members(self.bytes.clone(), boundary)).await?
            }
        })
    }
}

fn media_type(headers: &HeaderMap) -> Result<MediaType, Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(ProblemCode::UnsupportedMediaType));
    }
    MediaType::of(headers)
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The problem of a body that is not what its media type says.
fn malformed() -> Problem {
    Problem::new(ProblemCode::MalformedBody)
}
