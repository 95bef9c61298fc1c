//! User lookups, which resolve a create-user call whose response did not arrive or names a conflict.
//!
//! Both are immediately consistent at Auth0; its search is not. They need `read:users`.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use super::classify::{is_missing_scope, is_missing_user};
use super::error::{LookupError, TransportError};
use super::rate_headers::RateHeaders;
use super::response::ApiResponse;
use super::user::User;
use crate::clock::TenantTime;
use crate::domain::UserId;

/// Result of a lookup by e-mail address.
#[derive(Debug, Clone)]
pub struct UsersByEmail {
    /// The users of the connection with that address.
    pub users: Vec<FoundUser>,
    /// The time of the response, to the second, rounded down. `None` when it carries none.
    pub responded_at: Option<TenantTime>,
}

/// A user found by e-mail address.
#[derive(Debug, Clone)]
pub struct FoundUser {
    /// The user of the connection. One that is linked to the profile of another has only its id and the address: the
    /// other members are those of the profile.
    pub user: User,
    /// The time of its creation. `None` if it is linked to the profile of another, which has only its own.
    pub created_at: Option<TenantTime>,
}

/// A user found by id.
#[derive(Debug, Clone)]
pub struct UserById {
    /// The user.
    pub user: User,
    /// The time of its creation, if it can be read.
    pub created_at: Option<TenantTime>,
}

/// The members of a user that a lookup reads besides those of a [`User`]. Their values are read once it is known
/// to be a user of the connection.
#[derive(Deserialize)]
struct UserRecord<'a> {
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    identities: Option<&'a RawValue>,
}

/// An identity of a user.
#[derive(Deserialize)]
struct Identity<'a> {
    connection: String,
    /// A text, or a number where the provider numbers its users.
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
}

impl<'a> UserRecord<'a> {
    /// The identity of the connection. Identities in any other form are those of other connections.
    fn identity(&self, connection: &str) -> Option<Identity<'a>> {
        let identities: Vec<&RawValue> = serde_json::from_str(self.identities?.get()).ok()?;
        let mut readable = identities
            .into_iter()
            .filter_map(|identity| serde_json::from_str::<Identity<'_>>(identity.get()).ok());
        readable.find(|identity| identity.connection == connection)
    }

    /// The time of its creation; `None` when it is missing or malformed.
    fn created_at(&self) -> Option<TenantTime> {
        let created_at: String = serde_json::from_str(self.created_at?.get()).ok()?;
        let created_at = OffsetDateTime::parse(&created_at, &Rfc3339).ok()?;
        let millis = u64::try_from(created_at.unix_timestamp_nanos() / 1_000_000).ok()?;
        Some(TenantTime::from_epoch(Duration::from_millis(millis)))
    }
}

/// The names of the members of a [`UserRecord`].
const RECORD_MEMBERS: [&str; 2] = ["created_at", "identities"];

/// The URL of a lookup by e-mail address. It asks for no members but those that are read: a profile may hold
/// a megabyte of metadata, and people of other connections are found too.
pub(super) fn by_email_url(users_by_email: &Url, email: &str) -> Url {
    let members: Vec<_> = User::member_names().chain(RECORD_MEMBERS).collect();
    let mut url = users_by_email.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("email", email);
    query.append_pair("fields", &members.join(",")).append_pair("include_fields", "true");
    drop(query);
    url
}

/// The URL of a user.
pub(super) fn user_url(users: &Url, user_id: &UserId) -> Url {
    let mut url = users.clone();
    // Encodes the bar of `auth0|`, which the rules for URLs leave as it is in a path.
    let id = utf8_percent_encode(user_id.as_str(), NON_ALPHANUMERIC);
    url.set_path(&format!("{}/{id}", users.path()));
    url
}

/// Reads a response to `GET /api/v2/users/{id}`: the user and the time of its creation, or that there is none.
///
/// A 200 with anything else proves nothing: something in front of the tenant may have sent it.
pub(super) fn by_id(
    response: &ApiResponse,
    user_id: &UserId,
) -> Result<Option<UserById>, LookupError> {
    match response.status {
        200 => {
            let user: User = response.json()?;
            if user.user_id != *user_id {
                return Err(unreadable(response));
            }
            let record: UserRecord<'_> = response.json()?;
            Ok(Some(UserById { user, created_at: record.created_at() }))
        }
        _ if is_missing_user(response) => Ok(None),
        _ => Err(failure(response)),
    }
}

/// Reads a response to `GET /api/v2/users-by-email`: the users of this connection.
///
/// One that cannot be read makes the whole response unreadable, since it may be the one in question. A
/// user of another connection may hold anything.
pub(super) fn by_email(
    response: &ApiResponse,
    connection: &str,
) -> Result<UsersByEmail, LookupError> {
    if response.status != 200 {
        return Err(failure(response));
    }
    let bodies: Vec<&RawValue> = response.json()?;
    let mut users = Vec::new();
    for body in bodies.into_iter().map(RawValue::get) {
        let record: UserRecord<'_> =
            serde_json::from_str(body).map_err(|_| unreadable(response))?;
        let Some(identity) = record.identity(connection) else { continue };
        let found = found(body, &record, &identity);
        users.push(found.ok_or_else(|| unreadable(response))?);
    }
    let responded_at = RateHeaders::new(&response.headers).responded_at();
    Ok(UsersByEmail { users, responded_at: responded_at.map(TenantTime::from_epoch) })
}

/// Reads a user; `None` when an id or the time of its creation is missing or malformed.
fn found(body: &str, record: &UserRecord<'_>, identity: &Identity<'_>) -> Option<FoundUser> {
    let user: User = serde_json::from_str(body).ok()?;
    let id = match serde_json::from_str(identity.user_id?.get()).ok()? {
        Value::String(id) => id,
        Value::Number(id) => id.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if user.has_empty_id() || id.is_empty() {
        return None;
    }
    let user_id = UserId::from_connection_id(&id);
    let created_at = record.created_at()?;
    Some(if user.user_id == user_id {
        FoundUser { user, created_at: Some(created_at) }
    } else {
        FoundUser { user: user.linked(user_id), created_at: None }
    })
}

/// The error of a 200 that is not what it should be.
fn unreadable(response: &ApiResponse) -> LookupError {
    TransportError::Unreadable(response.status).into()
}

/// Classifies a response without a result.
fn failure(response: &ApiResponse) -> LookupError {
    if is_missing_scope(response) {
        LookupError::Forbidden
    } else {
        TransportError::Status(response.status).into()
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AGE, DATE, HeaderName};

    use super::*;

    fn response(headers: &[(HeaderName, &str)], body: &str) -> ApiResponse {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        ApiResponse::new(200, headers.collect(), body.to_owned())
    }

    const RECORD: &str = r#"{"user_id":"auth0|ours","email":"ada@example.com",
        "created_at":"2026-09-21T14:13:20.250Z","identities":[
        {"connection":"other","user_id":"theirs"},{"connection":"db","user_id":ID}]}"#;

    #[test]
    fn the_id_within_the_connection_is_a_text_whatever_its_type() {
        let date = [(DATE, "Mon, 21 Sep 2026 14:13:25 GMT")];
        for (id, expected) in [("\"ours\"", "ours"), ("42", "42")] {
            let own = RECORD.replace("auth0|ours", &format!("auth0|{expected}"));
            let body = format!("[{}]", own.replace("ID", id));
            let found = by_email(&response(&date, &body), "db").unwrap();
            let [user] = &*found.users else { panic!("{found:?}") };
            assert_eq!(user.user.user_id.connection_id(), expected);
            let created_at = user.created_at.unwrap();
            assert_eq!(created_at.as_millis(), 1_790_000_000_250);
            let responded_at = found.responded_at.unwrap();
            assert_eq!(responded_at.since(created_at), Duration::from_millis(4_750));
        }
        let cached = [date[0].clone(), (AGE, "1")];
        let found = by_email(&response(&cached, "[]"), "db").unwrap();
        assert!(found.users.is_empty() && found.responded_at.is_none());
    }

    #[test]
    fn a_user_of_the_connection_that_cannot_be_read_is_an_error() {
        let read = |body: &str| by_email(&response(&[], &format!("[{body}]")), "db");
        for (from, to) in [
            ("ID", "\"\""),
            ("ID", "null"),
            ("auth0|ours", ""),
            ("2026-09-21T14:13:20.250Z", "yesterday"),
        ] {
            let body = RECORD.replace(from, to).replace("ID", "1");
            assert!(read(&body).is_err(), "{body}");
            let others = body.replace("\"db\"", "\"elsewhere\"");
            assert!(read(&others).unwrap().users.is_empty(), "{others}");
        }
        for body in ["5", "null", r#""db""#, "[]"] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_user_of_another_connection_may_hold_anything() {
        let ours = RECORD.replace("ID", "1");
        for theirs in [
            r#"{"user_id":5,"email":5,"name":"\ud83d","identities":[{"connection":"apple"}]}"#,
            r#"{"created_at":"\ud83d","identities":null}"#,
            r#"{"identities":[{},null,"db",{"connection":5},{"connection":"\ud83d"}]}"#,
            r#"{"identities":{"connection":"db","user_id":"1"}}"#,
            "{}",
        ] {
            let body = format!("[{theirs},{ours}]");
            assert_eq!(by_email(&response(&[], &body), "db").unwrap().users.len(), 1, "{body}");
        }
    }

    #[test]
    fn anything_but_the_user_with_the_id_is_an_error() {
        let abc = UserId::from_auth0("auth0|abc");
        let other = r#"{"user_id":"auth0|abd"}"#;
        for body in ["", "<html>", "{}", r#"{"user_id":5}"#, r#"{"user_id":""}"#, other] {
            assert!(by_id(&response(&[], body), &abc).is_err(), "{body}");
        }
        let user = by_id(&response(&[], r#"{"user_id":"auth0|abc"}"#), &abc).unwrap().unwrap();
        assert_eq!((user.user.user_id, user.user.email), (abc, None));
    }
}
