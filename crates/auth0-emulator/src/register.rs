//! Adding a user to the connection: its checks, then its default values.

use serde_json::{Map, Value};

use crate::body::BodyMembers;
use crate::defaults;
use crate::password::{self, PasswordRejection, StoredPassword};
use crate::state::Call;
use crate::users::{Conflict, StoredUser, TenantUser, UserIdentity};

/// Reason the connection rejects a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// A required member is missing.
    Missing(&'static str),
    /// A username was sent to a connection without usernames.
    UsernameNotAllowed,
    /// The username's length is outside the connection's minimum and maximum.
    UsernameLength(usize, usize),
    /// The password is rejected, and why.
    Password(PasswordRejection),
    /// An existing user has the same identifier.
    Conflict(Conflict),
}

/// Checks and stores a user with these members, which have passed the schema.
///
/// # Errors
///
/// Returns an error if the connection rejects the user.
pub(crate) fn register(
    call: &Call<'_>,
    members: &BodyMembers,
) -> Result<TenantUser, RegisterError> {
    let stored = prepare(call, members)?;
    let user = stored.user.clone();
    call.state
        .users
        .with(|users| users.insert(stored, call.tenant.unique_email))
        .map_err(RegisterError::Conflict)?;
    Ok(user)
}

/// Runs the checks that involve no other user, and returns the user to store.
fn prepare(call: &Call<'_>, members: &BodyMembers) -> Result<StoredUser, RegisterError> {
    let tenant = &call.tenant;
    let email = members.text("email").ok_or(RegisterError::Missing("email"))?.to_lowercase();
    match members.text("username") {
        None if tenant.requires_username => return Err(RegisterError::Missing("username")),
        Some(_) if !tenant.requires_username => return Err(RegisterError::UsernameNotAllowed),
        Some(name)
            if !(tenant.username_min..=tenant.username_max).contains(&name.chars().count()) =>
        {
            return Err(RegisterError::UsernameLength(tenant.username_min, tenant.username_max));
        }
        _ => {}
    }
    let password = members.text("password").ok_or(RegisterError::Missing("password"))?;
    password::check(tenant, password, &members.to_map()).map_err(RegisterError::Password)?;
    Ok(StoredUser { user: fill_in(call, members, email), password: StoredPassword::new(password) })
}

/// The user with these members and the tenant's defaults.
fn fill_in(call: &Call<'_>, members: &BodyMembers, email: String) -> TenantUser {
    let text = |name: &str| members.text(name).map(str::to_owned);
    let object = |name: &str| members.get(name).and_then(Value::as_object).cloned();
    let clock = &call.state.clock;
    let own_id = || call.state.ids.next_id(clock.unix_seconds());
    let id = match members.text("user_id") {
        Some(chosen) if !chosen.is_empty() && !call.tenant.ignores_user_id => chosen.to_owned(),
        _ if call.tenant.ignores_user_id => format!("{}|{}", call.tenant.connection, own_id()),
        _ => own_id(),
    };
    let now = clock.timestamp();
    TenantUser {
        user_id: format!("auth0|{id}"),
        created_at: now.clone(),
        updated_at: now,
        email_verified: members.flag("email_verified").unwrap_or(false),
        username: members.text("username").map(str::to_lowercase),
        phone_number: text("phone_number"),
        phone_verified: members.flag("phone_verified"),
        given_name: text("given_name"),
        family_name: text("family_name"),
        nickname: text("nickname").unwrap_or_else(|| defaults::nickname(&email).to_owned()),
        picture: text("picture").unwrap_or_else(|| defaults::picture(&email, members.text("name"))),
        name: text("name").unwrap_or_else(|| email.clone()),
        blocked: members.flag("blocked"),
        identities: [UserIdentity {
            connection: call.tenant.connection.clone(),
            user_id: id,
            provider: "auth0",
            is_social: false,
        }],
        user_metadata: object("user_metadata"),
        app_metadata: object("app_metadata").filter(|metadata: &Map<_, _>| !metadata.is_empty()),
        email,
    }
}
