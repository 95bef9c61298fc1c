//! The tenant's users at the end of the run. No user is ever deleted, so they are the truth about
//! every moment of it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use auth0_emulator::Emulator;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::people::Profile;

/// A user of the tenant.
#[derive(Debug)]
pub(crate) struct TenantUser {
    /// The id, with its prefix.
    pub(crate) id: String,
    /// The address.
    pub(crate) email: String,
    /// The time of creation since the Unix epoch, to the millisecond.
    pub(crate) created_at: Duration,
    /// The user as the Management API returns it.
    pub(crate) members: Value,
}

impl TenantUser {
    fn new(members: Value) -> anyhow::Result<Self> {
        let text = |name| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let created_at = OffsetDateTime::parse(text("created_at"), &Rfc3339);
        let created_at = created_at.context("a user of the tenant has no time of creation")?;
        Ok(Self {
            id: text("user_id").to_owned(),
            email: text("email").to_owned(),
            created_at: SystemTime::from(created_at).duration_since(UNIX_EPOCH)?,
            members,
        })
    }

    /// Returns whether the user existed at this time since the Unix epoch.
    pub(crate) fn existed_at(&self, time: Duration) -> bool {
        self.created_at <= time
    }
}

/// All users.
#[derive(Debug)]
pub(crate) struct Truth<'a> {
    auth0: &'a Emulator,
    users: Vec<TenantUser>,
    by_id: HashMap<String, usize>,
    by_email: HashMap<String, Vec<usize>>,
}

impl<'a> Truth<'a> {
    /// Reads the tenant's users.
    pub(crate) fn new(auth0: &'a Emulator) -> anyhow::Result<Self> {
        let users = auth0.users().into_iter().map(TenantUser::new);
        let users = users.collect::<anyhow::Result<Vec<_>>>()?;
        let mut by_id = HashMap::new();
        let mut by_email: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, user) in users.iter().enumerate() {
            by_id.insert(user.id.clone(), index);
            by_email.entry(user.email.clone()).or_default().push(index);
        }
        Ok(Self { auth0, users, by_id, by_email })
    }

    /// The user with this id.
    pub(crate) fn user(&self, id: &str) -> Option<&TenantUser> {
        self.users.get(*self.by_id.get(id)?)
    }

    /// The users with this address.
    pub(crate) fn of_email(&self, email: &str) -> impl Iterator<Item = &TenantUser> {
        let indexes = self.by_email.get(email).map_or(&[][..], Vec::as_slice);
        indexes.iter().filter_map(|index| self.users.get(*index))
    }

    /// Returns whether the user was created with this profile's password.
    pub(crate) fn is_owner(&self, profile: &Profile, user: &TenantUser) -> bool {
        self.auth0.has_password(&user.id, &profile.password)
    }
}
