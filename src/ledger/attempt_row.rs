//! A row as either database returns it, and its conversion to an [`Attempt`].

use std::time::Duration;

use uuid::Uuid;

use super::HEARTBEAT_LAPSE;
use super::attempt::{Attempt, AttemptState, Binding, PinnedUserId, StoredKey, Worker};
use crate::clock::{LedgerTime, TenantTime};
use crate::digest::Digest;
use crate::domain::{TermsVersion, UserId};

/// The columns of an attempt, in the order of every statement that returns rows. The statements
/// list them again; the test suite fails when the two differ.
#[derive(Debug)]
pub(super) struct AttemptRow {
    pub(super) id: Uuid,
    pub(super) email_digest: Vec<u8>,
    /// From `attempt_keys`; `None` once the key is freed or has expired.
    pub(super) binding: Option<Vec<u8>>,
    pub(super) key_expires_at: Option<i64>,
    pub(super) user_id: String,
    pub(super) auth0_user_id: Option<String>,
    pub(super) request_id: String,
    pub(super) auth0_request_id: Option<String>,
    pub(super) state: i64,
    pub(super) outcome_code: Option<String>,
    pub(super) started_at: i64,
    pub(super) tenant_started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    pub(super) connection_ended_at: Option<i64>,
    pub(super) next_check_at: Option<i64>,
    pub(super) lease_owner: Option<Uuid>,
    pub(super) check_count: i64,
    pub(super) worker: Option<Uuid>,
    /// The last heartbeat of the worker.
    pub(super) worker_seen_at: Option<i64>,
    pub(super) restarts: i64,
    pub(super) terms_version: Option<String>,
    /// The ledger's time.
    pub(super) read_at: i64,
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
        let key = match (self.binding, self.key_expires_at) {
            (Some(binding), Some(expires_at)) => Some(StoredKey {
                binding: binding
                    .as_slice()
                    .try_into()
                    .map(Binding::from_bytes)
                    .map_err(|_| InvalidColumn("binding"))?,
                expires_at: time(expires_at, "key_expires_at")?,
            }),
            (None, None) => None,
            _ => return Err(InvalidColumn("binding")),
        };
        let optional = |millis: Option<i64>, column| millis.map(|at| time(at, column)).transpose();
        let terms = self
            .terms_version
            .map(|version| TermsVersion::parse(&version).ok_or(InvalidColumn("terms_version")));
        let terms = terms.transpose()?;
        let tenant_started_at = self.tenant_started_at.map(|millis| {
            TenantTime::from_millis(millis).ok_or(InvalidColumn("tenant_started_at"))
        });
        // One further ahead is from before the clock was set back.
        let is_alive = self.worker_seen_at.is_some_and(|seen_at| {
            Duration::from_millis(self.read_at.abs_diff(seen_at)) < HEARTBEAT_LAPSE
        });
        Ok(Attempt {
            id: self.id.into(),
            email: digest(&self.email_digest, "email_digest")?,
            key,
            user_id: PinnedUserId::parse(self.user_id).ok_or(InvalidColumn("user_id"))?,
            auth0_user_id: self.auth0_user_id.as_deref().map(UserId::from_stored),
            request_id: self.request_id,
            auth0_request_id: self.auth0_request_id,
            state: AttemptState::from_number(self.state).ok_or(InvalidColumn("state"))?,
            outcome_code: self.outcome_code,
            started_at: time(self.started_at, "started_at")?,
            tenant_started_at: tenant_started_at.transpose()?,
            finished_at: optional(self.finished_at, "finished_at")?,
            connection_ended_at: optional(self.connection_ended_at, "connection_ended_at")?,
            next_check_at: optional(self.next_check_at, "next_check_at")?,
            lease_owner: self.lease_owner,
            check_count: u32::try_from(self.check_count)
                .map_err(|_| InvalidColumn("check_count"))?,
            worker: self.worker.map(|process| Worker { process, is_alive }),
            restarts: u8::try_from(self.restarts).map_err(|_| InvalidColumn("restarts"))?,
            terms,
            read_at: time(self.read_at, "read_at")?,
        })
    }
}

fn digest(bytes: &[u8], column: &'static str) -> Result<Digest, InvalidColumn> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| InvalidColumn(column))
}

fn time(millis: i64, column: &'static str) -> Result<LedgerTime, InvalidColumn> {
    LedgerTime::from_millis(millis).ok_or(InvalidColumn(column))
}
