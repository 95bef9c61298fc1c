//! User lookups, which resolve a create-user call whose response did not arrive.
//!
//! Both are immediately consistent at Auth0; its search is not. They need `read:users`.

use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::classify::{is_missing_scope, is_missing_user};
use super::error::{LookupError, TransportError};
use super::rate_headers::RateHeaders;
use super::response::ApiResponse;
use super::user::User;
use crate::clock::TenantTime;

/// Result of a lookup by e-mail address.
#[derive(Debug, Clone)]
pub struct UsersByEmail {
    /// The users of the connection with that address.
    pub users: Vec<FoundUser>,
    /// The time of the response by the tenant's own clock, since the Unix epoch; to the second,
    /// rounded down. `None` when the response carries none.
    pub responded_at: Option<TenantTime>,
}

/// A user found by e-mail address.
#[derive(Debug, Clone)]
pub struct FoundUser {
    /// The user.
    pub user: User,
    /// The id of its identity in the connection.
    pub connection_user_id: String,
    /// The time of its creation by the tenant's clock.
    pub created_at: TenantTime,
}

/// A member of the response to `users-by-email`.
#[derive(Deserialize)]
struct UserRecord {
    #[serde(flatten)]
    user: User,
    created_at: String,
    #[serde(default)]
    identities: Vec<Identity>,
}

/// An identity of a user.
#[derive(Deserialize)]
struct Identity {
    connection: String,
}

/// Reads a response to `GET /api/v2/users/{id}`: the user, or that there is none.
pub(super) fn by_id(response: &ApiResponse) -> Result<Option<User>, LookupError> {
    match response.status {
        200 => Ok(Some(response.json()?)),
        _ if is_missing_user(response) => Ok(None),
        _ => Err(failure(response)),
    }
}

/// Reads a response to `GET /api/v2/users-by-email`: the users of this connection.
pub(super) fn by_email(
    response: &ApiResponse,
    connection: &str,
) -> Result<UsersByEmail, LookupError> {
    if response.status != 200 {
        return Err(failure(response));
    }
    let records: Vec<UserRecord> = response.json()?;
    let ours = records.into_iter().filter(|record| {
        record.identities.iter().any(|identity| identity.connection == connection)
    });
    let responded_at =
        RateHeaders::new(&response.headers).responded_at().map(TenantTime::from_epoch);
    Ok(UsersByEmail { users: ours.filter_map(found).collect(), responded_at })
}

/// Reads a record; `None` when its time of creation is malformed.
fn found(record: UserRecord) -> Option<FoundUser> {
    let created_at = OffsetDateTime::parse(&record.created_at, &Rfc3339).ok()?;
    let millis = created_at.unix_timestamp_nanos() / 1_000_000;
    let created_at = Duration::from_millis(u64::try_from(millis).ok()?);
    let connection_user_id = String::new();
    Some(FoundUser {
        user: record.user,
        connection_user_id,
        created_at: TenantTime::from_epoch(created_at),
    })
}

/// Classifies a response without a result.
fn failure(response: &ApiResponse) -> LookupError {
    if is_missing_scope(response) {
        LookupError::Forbidden
    } else {
        TransportError::Status(response.status).into()
    }
}
