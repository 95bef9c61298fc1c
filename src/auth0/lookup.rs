//! Looking a user up: what settles a create-user call whose answer did not arrive.
//!
//! Both look-ups are immediately consistent at Auth0; its search is not. They need `read:users`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::classify::{denies_the_user, lacks_scope};
use super::client::ApiResponse;
use super::create_user::User;
use super::error::{Error, Transport};
use super::rate_headers::RateHeaders;

/// Why a look-up tells nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// The application lacks `read:users`; asking again does not mend it.
    #[error("the application lacks the scope read:users")]
    Forbidden,
    /// No usable answer.
    #[error("the tenant did not tell")]
    Failed(#[source] Arc<Error>),
}

impl LookupError {
    /// The label of metrics and logs.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Error> for LookupError {
    /// A look-up that could not be made, for whatever reason, told nothing.
    fn from(error: Error) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// What a look-up by e-mail address found.
#[derive(Debug, Clone)]
pub struct ByEmail {
    /// The users.
    pub users: Vec<Found>,
    /// When the tenant answered, by its own clock, since the Unix epoch; to the second, rounded
    /// down. `None` when it did not tell.
    pub answered_at: Option<Duration>,
}

/// A user found by e-mail address.
#[derive(Debug, Clone)]
pub struct Found {
    /// The user.
    pub user: User,
    /// When it was created, by the tenant's clock, since the Unix epoch.
    pub created_at: Duration,
}

#[derive(Deserialize)]
struct Member {
    #[serde(flatten)]
    user: User,
    created_at: String,
    #[serde(default)]
    identities: Vec<Identity>,
}

#[derive(Deserialize)]
struct Identity {
    connection: String,
}

/// What `GET /api/v2/users/{id}` says: the user, or that there is none.
pub(super) fn by_id(answer: &ApiResponse) -> Result<Option<User>, LookupError> {
    match answer.status {
        200 => read(answer, |body| serde_json::from_slice(body).ok()).map(Some),
        status if denies_the_user(status, answer.body.as_deref().unwrap_or_default()) => Ok(None),
        _ => Err(failure(answer)),
    }
}

/// What `GET /api/v2/users-by-email` says: the users of this connection with that address.
pub(super) fn by_email(answer: &ApiResponse, connection: &str) -> Result<ByEmail, LookupError> {
    if answer.status != 200 {
        return Err(failure(answer));
    }
    let members: Vec<Member> = read(answer, |body| serde_json::from_slice(body).ok())?;
    let ours = members.into_iter().filter(|member| {
        member.identities.iter().any(|identity| identity.connection == connection)
    });
    let answered_at = RateHeaders::new(&answer.headers).answered_at();
    Ok(ByEmail { users: ours.filter_map(found).collect(), answered_at })
}

fn found(member: Member) -> Option<Found> {
    let created_at = OffsetDateTime::parse(&member.created_at, &Rfc3339).ok()?;
    let millis = created_at.unix_timestamp_nanos() / 1_000_000;
    let created_at = Duration::from_millis(u64::try_from(millis).ok()?);
    Some(Found { user: member.user, created_at })
}

fn read<T>(answer: &ApiResponse, parse: impl Fn(&Bytes) -> Option<T>) -> Result<T, LookupError> {
    let body = answer.body.as_ref();
    let unreadable = || unclear(Transport::Unreadable(answer.status));
    body.and_then(parse).ok_or_else(unreadable)
}

fn failure(answer: &ApiResponse) -> LookupError {
    if lacks_scope(answer.status, answer.body.as_deref().unwrap_or_default()) {
        LookupError::Forbidden
    } else {
        unclear(Transport::Status(answer.status))
    }
}

fn unclear(transport: Transport) -> LookupError {
    LookupError::Failed(Arc::new(Error::Ambiguous(Arc::new(transport))))
}
