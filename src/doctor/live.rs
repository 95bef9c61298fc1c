//! The test user of `doctor --live`: created, created again, looked up both ways, deleted.
//!
//! The user is unverified, gets no verification mail, and has an address that no mail server accepts.
//! Its id and name are announced before it is created, so that a crash leaves nothing unknown.

use rand::seq::IndexedRandom as _;

use super::Announce;
use super::finding::Finding;
use super::kind::FindingKind;
use super::tenant_error;
use crate::auth0::{CreateUserError, InspectedToken, Inspector, LookupError};
use crate::config::Settings;
use crate::domain::password::MAX_BYTES;
use crate::domain::rules::Presence;
use crate::domain::{
    AttributeValue, Attributes, EmailAddress, Field, NewUser, Password, PasswordRule, Rules, UserId,
};
use crate::telemetry::chain;

/// The length of a username, where the bounds allow it.
const USERNAME_LENGTH: usize = 12;

/// A test user.
struct TestUser {
    /// The pinned id, without a provider.
    id: String,
    /// Its name, which the dashboard finds.
    name: String,
    user: NewUser,
}

/// A running test, and its findings so far.
struct LiveTest<'a> {
    tenant: &'a Inspector,
    token: &'a InspectedToken,
    findings: Vec<Finding>,
}

pub(super) async fn check(
    settings: &Settings,
    tenant: &Inspector,
    token: &InspectedToken,
    announce: Announce<'_>,
) -> Vec<Finding> {
    if !token.may_have("delete:users") {
        return vec![Finding::new(FindingKind::LiveNoDelete)];
    }
    let test_user = match TestUser::new(&settings.rules) {
        Ok(test_user) => test_user,
        Err(field) => return vec![Finding::about(FindingKind::LiveUnbuildable, field)],
    };
    let pins = settings.auth0.pin_user_id;
    announce(&format!(
        "creating the test user {}; if this command does not finish, delete it in the dashboard",
        test_user.label(pins)
    ));
    let mut test = LiveTest { tenant, token, findings: Vec::new() };
    test.run(&test_user, pins).await;
    test.findings
}

impl LiveTest<'_> {
    async fn run(&mut self, test_user: &TestUser, pins: bool) {
        let pinned = pins.then_some(test_user.id.as_str());
        let first = self.tenant.create_user(self.token, &test_user.user, pinned).await;
        let id = match first {
            Ok(created) => created.user.user_id,
            Err(error) => {
                let is_open = matches!(error, CreateUserError::Ambiguous(_));
                self.findings.push(rejection(&error));
                if is_open {
                    self.remove_unknown(test_user, pinned).await;
                }
                return;
            }
        };
        let keeps = id == UserId::from_connection_id(&test_user.id);
        if pins && !keeps {
            self.findings.push(Finding::new(FindingKind::LiveIdsIgnored));
        }
        let second = self.repeat(test_user, pinned).await;
        self.look_up(test_user, &id).await;
        let all_well = self.findings.is_empty();
        let mut is_deleted = self.delete(&id, &test_user.name).await;
        if let Some(second) = second.filter(|second| *second != id) {
            is_deleted &= self.delete(&second, &test_user.name).await;
        }
        if is_deleted {
            let kind =
                if all_well && pins { FindingKind::LiveOk } else { FindingKind::LiveDeleted };
            self.findings.push(Finding::new(kind));
        }
    }

    /// Makes the same call again. Returns the id of a user that it created.
    async fn repeat(&mut self, test_user: &TestUser, pinned: Option<&str>) -> Option<UserId> {
        match self.tenant.create_user(self.token, &test_user.user, pinned).await {
            Err(CreateUserError::EmailTaken | CreateUserError::UsernameTaken) => None,
            Ok(created) => {
                self.findings.push(Finding::new(FindingKind::LiveCreatedTwice));
                Some(created.user.user_id)
            }
            Err(error) => {
                self.findings.push(rejection(&error));
                None
            }
        }
    }

    async fn look_up(&mut self, test_user: &TestUser, id: &UserId) {
        let by_id = self.tenant.user(self.token, id).await;
        let failure = match &by_id {
            Ok(Some(_)) => None,
            Ok(None) => Some("there is no such user".to_owned()),
            Err(error) => Some(describe(error)),
        };
        self.findings
            .extend(failure.map(|why| Finding::about(FindingKind::LiveLookupByIdFailed, why)));
        let email = test_user.user.email.as_ref();
        let by_email = self.tenant.users_by_email(self.token, email).await;
        let failure = match &by_email {
            Ok(found) if found.users.iter().any(|found| found.user.user_id == *id) => None,
            Ok(_) => Some("no user of the connection has it".to_owned()),
            Err(error) => Some(describe(error)),
        };
        self.findings
            .extend(failure.map(|why| Finding::about(FindingKind::LiveLookupByEmailFailed, why)));
    }

    /// Deletes a user. Returns whether it is certainly gone.
    async fn delete(&mut self, id: &UserId, name: &str) -> bool {
        let Err(error) = self.tenant.delete_user(self.token, id).await else { return true };
        let details = vec![format!("{id} ({name})"), describe(&error)];
        self.findings.push(Finding::with(FindingKind::LiveLeftBehind, details));
        false
    }

    /// Deletes a user that a call without a response may have created, by its pinned id where it cannot
    /// be looked up.
    async fn remove_unknown(&mut self, test_user: &TestUser, pinned: Option<&str>) {
        let found = self.tenant.users_by_email(self.token, test_user.user.email.as_ref()).await;
        let is_looked_up = found.is_ok();
        let ids: Vec<_> = match found {
            Ok(found) => found.users.into_iter().map(|found| found.user.user_id).collect(),
            Err(_) => pinned.map(UserId::from_connection_id).into_iter().collect(),
        };
        let mut is_deleted = true;
        for id in &ids {
            is_deleted &= self.delete(id, &test_user.name).await;
        }
        if !is_deleted {
            return;
        }
        let state = match (is_looked_up, ids.is_empty()) {
            (true, true) => "it was not found",
            (true, false) => "it was deleted",
            (false, true) => "it could not be looked up",
            (false, false) => "its deletion was accepted",
        };
        // The tenant may still be working on the call.
        let why = format!("{state}, and the call may still be running");
        let details = vec![test_user.label(pinned.is_some()), why];
        self.findings.push(Finding::with(FindingKind::LiveMaybeLeftBehind, details));
    }
}

/// The words for a failed call.
fn describe(error: &LookupError) -> String {
    match error {
        LookupError::Forbidden => "the application lacks the scope".to_owned(),
        LookupError::Failed(error) => chain(error),
    }
}

/// The finding for a create call that created nobody, or may have.
fn rejection(error: &CreateUserError) -> Finding {
    let kind = match error {
        CreateUserError::EmailTaken => FindingKind::LiveUserExists,
        CreateUserError::UsernameTaken => FindingKind::LiveUsernameTaken,
        CreateUserError::UsernameRejected => FindingKind::LiveUsernameRejected,
        CreateUserError::PasswordRejected(rule) => match rule {
            PasswordRule::TooCommon => FindingKind::LivePasswordCommon,
            PasswordRule::ContainsUserInfo { .. } => FindingKind::LivePasswordUserInfo,
            PasswordRule::Breached => FindingKind::LivePasswordBreached,
            PasswordRule::UsedBefore => FindingKind::LivePasswordUsed,
            _ => FindingKind::LivePasswordWeak,
        },
        CreateUserError::InvalidBody => FindingKind::LiveInvalidBody,
        CreateUserError::Misconfigured(reason) => return tenant_error::misconfiguration(reason),
        CreateUserError::RateLimited { retry_after, .. } => {
            return Finding::about(FindingKind::LiveRateLimited, retry_after.as_secs());
        }
        CreateUserError::NotSent(error) => {
            return Finding::about(FindingKind::LiveNotSent, chain(error));
        }
        CreateUserError::Ambiguous(error) => {
            return Finding::about(FindingKind::LiveTenantFails, chain(error));
        }
    };
    Finding::new(kind)
}

impl TestUser {
    /// A user that meets every rule of the settings, or the field that no value was found for.
    fn new(rules: &Rules) -> Result<Self, Field> {
        let tag = format!("{:016x}", rand::random::<u64>());
        let id = format!("{tag}{:08x}", rand::random::<u32>());
        let name = format!("auth0-signup-doctor-{tag}");
        // The domain accepts no mail (RFC 7505, a null MX), and is nobody's.
        let email = EmailAddress::parse(&format!("{name}@example.com"));
        let mut attributes = Attributes::default();
        for (field, kind) in Field::attributes() {
            let is_required = rules.presence_of(field) == Presence::Required;
            let value = match field {
                Field::Name => name.clone(),
                Field::Username if is_required => username(&tag, rules),
                // Numbers that are reserved for fiction.
                Field::PhoneNumber if is_required => {
                    format!("+120255501{:02}", rand::random_range(0..100))
                }
                _ => continue,
            };
            let value = AttributeValue::parse(kind, &value, rules).map_err(|_| field)?;
            attributes.push(field, value);
        }
        let user = NewUser {
            email: email.map_err(|_| Field::Email)?,
            password: password(),
            attributes,
            user_metadata: std::collections::BTreeMap::new(),
            terms: None,
        };
        Ok(Self { id, name, user })
    }

    /// The name, with the id if it is pinned.
    fn label(&self, pins: bool) -> String {
        let Self { id, name, .. } = self;
        if pins { format!("{} ({name})", UserId::from_connection_id(id)) } else { name.clone() }
    }
}

/// A username within the bounds of the settings.
fn username(tag: &str, rules: &Rules) -> String {
    let length = USERNAME_LENGTH.clamp(*rules.username.start(), *rules.username.end());
    tag.chars().cycle().take(length).collect()
}

/// A random password that every policy of Auth0 accepts: as long as a policy can require, of all
/// kinds, and never two of a kind in a row.
fn password() -> Password {
    const KINDS: [&[u8]; 4] =
        [b"abcdefghijkmnpqrstuvwxyz", b"23456789", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"!#$%&*+-=?@_"];
    let mut rng = rand::rng();
    let kinds = KINDS.iter().cycle().take(MAX_BYTES);
    let text: String =
        kinds.filter_map(|kind| kind.choose(&mut rng)).map(|byte| char::from(*byte)).collect();
    Password::new(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::password::{
        Complexity, DictionarySettings, PolicySettings, ProfileDataSettings,
    };
    use crate::domain::violation::CharacterType;
    use crate::domain::{PasswordPolicy, Profile};

    #[test]
    fn the_password_meets_the_strictest_policy() {
        let strictest = PolicySettings {
            min_length: Some(MAX_BYTES),
            complexity: Some(Complexity {
                character_types: CharacterType::ALL.to_vec(),
                block_identical_characters: true,
                block_sequential_characters: true,
                ..Complexity::default()
            }),
            dictionary: DictionarySettings { active: true, ..DictionarySettings::default() },
            profile_data: ProfileDataSettings { active: true, blocked_fields: None },
            ..PolicySettings::default()
        };
        let policy = PasswordPolicy::new(&strictest).unwrap();
        for _ in 0..100 {
            let password = password();
            assert_eq!(policy.check(password.expose(), &Profile::default()), []);
        }
    }
}
