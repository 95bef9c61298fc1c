//! A row as either database returns it, and its conversion to an [`Attempt`].

use std::time::Duration;

use uuid::Uuid;

use super::attempt::{Attempt, AttemptState, PinnedUserId, StoredKey};
use super::millis::from_millis;
use crate::digest::Digest;
use crate::domain::TermsVersion;

/// The columns of `attempts`, in the order of every statement that returns rows. The statements
/// list them again; the test suite fails when the two differ.
#[derive(Debug)]
pub(super) struct AttemptRow {
    pub(super) id: Uuid,
    pub(super) email_digest: Vec<u8>,
    pub(super) key_digest: Option<Vec<u8>>,
    pub(super) binding_digest: Option<Vec<u8>>,
    pub(super) key_expires_at: Option<i64>,
    pub(super) user_id: String,
    pub(super) auth0_user_id: Option<String>,
    pub(super) request_id: String,
    pub(super) auth0_request_id: Option<String>,
    pub(super) state: i64,
    pub(super) outcome_code: Option<String>,
    pub(super) started_at: i64,
    pub(super) finished_at: Option<i64>,
    pub(super) connection_ended_at: Option<i64>,
    pub(super) next_check_at: Option<i64>,
    pub(super) lease_owner: Option<Uuid>,
    pub(super) check_count: i64,
    pub(super) terms_version: Option<String>,
}

/// A column holds a value that this program never writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid value in column `{0}` of `attempts`")]
pub(super) struct InvalidColumn(&'static str);

impl AttemptRow {
    /// Converts the row.
    ///
    /// # Errors
    /// The first column with an invalid value.
    pub(super) fn parse(self) -> Result<Attempt, InvalidColumn> {
        let key = match (self.key_digest, self.binding_digest, self.key_expires_at) {
            (Some(key), Some(binding), Some(expires_at)) => Some(StoredKey {
                key: digest(&key, "key_digest")?,
                binding: digest(&binding, "binding_digest")?,
                expires_at: duration(expires_at, "key_expires_at")?,
            }),
            (None, None, None) => None,
            _ => return Err(InvalidColumn("key_digest")),
        };
        let optional =
            |millis: Option<i64>, column| millis.map(|at| duration(at, column)).transpose();
        let terms = self
            .terms_version
            .map(|version| TermsVersion::parse(&version).ok_or(InvalidColumn("terms_version")));
        let terms = terms.transpose()?;
        Ok(Attempt {
            id: self.id.into(),
            email: digest(&self.email_digest, "email_digest")?,
            key,
            user_id: PinnedUserId::parse(self.user_id).ok_or(InvalidColumn("user_id"))?,
            auth0_user_id: self.auth0_user_id,
            request_id: self.request_id,
            auth0_request_id: self.auth0_request_id,
            state: AttemptState::from_number(self.state).ok_or(InvalidColumn("state"))?,
            outcome_code: self.outcome_code,
            started_at: duration(self.started_at, "started_at")?,
            finished_at: optional(self.finished_at, "finished_at")?,
            connection_ended_at: optional(self.connection_ended_at, "connection_ended_at")?,
            next_check_at: optional(self.next_check_at, "next_check_at")?,
            lease_owner: self.lease_owner,
            check_count: u32::try_from(self.check_count)
                .map_err(|_| InvalidColumn("check_count"))?,
            terms,
        })
    }
}

fn digest(bytes: &[u8], column: &'static str) -> Result<Digest, InvalidColumn> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| InvalidColumn(column))
}

fn duration(millis: i64, column: &'static str) -> Result<Duration, InvalidColumn> {
    from_millis(millis).ok_or(InvalidColumn(column))
}
