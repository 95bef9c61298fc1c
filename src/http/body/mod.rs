//! Request bodies: read within bounds, decoded by media type into members.

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
    /// 415 before reading, 413 as soon as the size is known, 408 when the body takes too long.
    pub(crate) async fn read(request: Request<Body>, limit: Duration) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let media_type = media_type(&head.headers)?;
        if announced_length(&head.headers).is_some_and(|length| length > MAX_BODY) {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        let collected = timeout(limit, Limited::new(body, MAX_BODY).collect());
        match collected.await {
            Ok(Ok(body)) => Ok(Self { media_type, bytes: body.to_bytes() }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Problem::new(ProblemCode::BodyTooLarge))
            }
            Ok(Err(_)) => Err(Problem::new(ProblemCode::MalformedBody)),
            Err(_) => Err(Problem::new(ProblemCode::RequestTimeout)),
        }
    }

    /// Decodes the body into its members, in their order.
    ///
    /// # Errors
    /// 400 when the body does not match its media type, 413 for too many parts, 415 for a part in
    /// another charset than UTF-8.
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

fn media_type(headers: &HeaderMap) -> Result<MediaType, Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(ProblemCode::UnsupportedMediaType));
    }
    MediaType::from_headers(headers)
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
