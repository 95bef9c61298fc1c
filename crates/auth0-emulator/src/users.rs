//! The stored users of the tenant.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::password::StoredPassword;

/// A user as the Management API returns it, with the members in the API's order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TenantUser {
    /// `auth0|` and the connection's user id.
    pub(crate) user_id: String,
    /// Time of creation.
    pub(crate) created_at: String,
    /// Time of the last change.
    pub(crate) updated_at: String,
    /// The e-mail in lower case.
    pub(crate) email: String,
    /// Set if the e-mail is verified.
    pub(crate) email_verified: bool,
    /// The username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone_number: Option<String>,
    /// Set if the phone number is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone_verified: Option<bool>,
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) given_name: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) family_name: Option<String>,
    /// The full name.
    pub(crate) name: String,
    /// The nickname.
    pub(crate) nickname: String,
    /// The URL of the picture.
    pub(crate) picture: String,
    /// The blocked flag, included only if the request had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blocked: Option<bool>,
    /// The connections through which the user can log in.
    pub(crate) identities: [UserIdentity; 1],
    /// The metadata of the request, even if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_metadata: Option<Map<String, Value>>,
    /// The metadata of the request, unless empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_metadata: Option<Map<String, Value>>,
}

/// One connection through which a user can log in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserIdentity {
    /// The connection's name.
    pub(crate) connection: String,
    /// The user's id within the connection.
    #[serde(rename = "user_id")]
    pub(crate) user_id: String,
    /// Always `auth0`: users sign up with the database connection only.
    pub(crate) provider: &'static str,
    /// Always `false`, for the same reason.
    pub(crate) is_social: bool,
}

/// A user with the data that is never returned.
#[derive(Clone, Debug)]
pub(crate) struct StoredUser {
    /// The data the API returns.
    pub(crate) user: TenantUser,
    /// The password.
    pub(crate) password: StoredPassword,
}

impl StoredUser {
    /// The data the API returns, as JSON.
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(&self.user).ok()
    }
}

/// The identifier that a new user shares with an existing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The id.
    UserId,
    /// The e-mail.
    Email,
    /// The username.
    Username,
}

/// All users of one tenant.
#[derive(Debug, Default)]
pub(crate) struct UserStore {
    /// The users by their serial number.
    by_number: BTreeMap<u64, StoredUser>,
    /// Serial numbers by user id.
    by_id: HashMap<String, u64>,
    /// Serial numbers by e-mail.
    by_email: HashMap<String, Vec<u64>>,
    /// Serial numbers by username.
    by_username: HashMap<String, u64>,
    /// The users of other connections, as the Management API returns them, by id.
    elsewhere: BTreeMap<String, Value>,
    /// The next serial number.
    next: u64,
}

impl UserStore {
    /// Stores a user.
    ///
    /// # Errors
    ///
    /// Returns the identifier that conflicts with an existing user.
    pub(crate) fn insert(
        &mut self,
        stored: StoredUser,
        unique_email: bool,
    ) -> Result<(), Conflict> {
        let user = &stored.user;
        if self.by_id.contains_key(&user.user_id) {
            return Err(Conflict::UserId);
        }
        if user.username.as_ref().is_some_and(|name| self.by_username.contains_key(name)) {
            return Err(Conflict::Username);
        }
        if unique_email && self.by_email.contains_key(&user.email) {
            return Err(Conflict::Email);
        }
        let number = self.next;
        self.next += 1;
        self.by_id.insert(user.user_id.clone(), number);
        self.by_email.entry(user.email.clone()).or_default().push(number);
        if let Some(username) = &user.username {
            self.by_username.insert(username.clone(), number);
        }
        self.by_number.insert(number, stored);
        Ok(())
    }

    /// Stores a user of another connection, or a linked profile, as it is. It conflicts with no user of
    /// this connection. One with the same id is replaced. While it lists users of this connection among its
    /// identities, those are not found, and conflict with others all the same.
    ///
    /// # Errors
    ///
    /// Returns the reason if it has no id.
    pub(crate) fn insert_elsewhere(&mut self, user: Value) -> Result<(), String> {
        let id = user.get("user_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or("a user needs a `user_id`")?.to_owned();
        self.elsewhere.insert(id, user);
        Ok(())
    }

    /// The profile with this id, of any connection.
    pub(crate) fn profile(&self, user_id: &str) -> Option<Value> {
        let elsewhere = self.elsewhere.get(user_id).cloned();
        elsewhere.or_else(|| self.get(user_id).filter(|own| self.is_shown(own))?.to_json())
    }

    /// The profiles with this e-mail, of any connection, the connection's own last.
    pub(crate) fn profiles_by_email(&self, email: &str) -> Vec<Value> {
        let has_email = |user: &&Value| user.get("email").and_then(Value::as_str) == Some(email);
        let own = self.by_email_address(email).filter(|own| self.is_shown(own));
        let own = own.filter_map(StoredUser::to_json);
        self.elsewhere.values().filter(has_email).cloned().chain(own).collect()
    }

    /// Returns whether a user of this connection has a profile of its own: none lists it as an identity.
    fn is_shown(&self, stored: &StoredUser) -> bool {
        let id = &stored.user.user_id;
        let is_own = |identity: &Value| {
            let text = |name| identity.get(name).and_then(Value::as_str).unwrap_or_default();
            *id == format!("{}|{}", text("provider"), text("user_id"))
        };
        let identities = |user: &Value| user.get("identities").and_then(Value::as_array).cloned();
        !self.elsewhere.values().filter_map(identities).flatten().any(|one| is_own(&one))
    }

    /// The user of this connection with this id.
    pub(crate) fn get(&self, user_id: &str) -> Option<&StoredUser> {
        self.by_number.get(self.by_id.get(user_id)?)
    }

    /// The users of this connection with this e-mail, oldest first.
    pub(crate) fn by_email_address<'a>(
        &'a self,
        email: &str,
    ) -> impl Iterator<Item = &'a StoredUser> {
        let numbers = self.by_email.get(email).map(Vec::as_slice).unwrap_or_default();
        numbers.iter().filter_map(|number| self.by_number.get(number))
    }

    /// All profiles: the connection's own, oldest first, then the others.
    pub(crate) fn profiles(&self) -> Vec<Value> {
        let own = self.by_number.values().filter(|own| self.is_shown(own));
        own.filter_map(StoredUser::to_json).chain(self.elsewhere.values().cloned()).collect()
    }

    /// Removes the profile with this id, if there is one.
    pub(crate) fn remove(&mut self, user_id: &str) {
        self.elsewhere.remove(user_id);
        if self.get(user_id).is_some_and(|own| !self.is_shown(own)) {
            return;
        }
        let Some(number) = self.by_id.remove(user_id) else {
            return;
        };
        let Some(stored) = self.by_number.remove(&number) else {
            return;
        };
        if let Some(numbers) = self.by_email.get_mut(&stored.user.email) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.by_email.remove(&stored.user.email);
            }
        }
        if let Some(username) = stored.user.username {
            self.by_username.remove(&username);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(id: &str, email: &str, username: Option<&str>) -> StoredUser {
        let identity = UserIdentity {
            connection: "c".to_owned(),
            user_id: id.to_owned(),
            provider: "auth0",
            is_social: false,
        };
        let user = TenantUser {
            user_id: format!("auth0|{id}"),
            created_at: String::new(),
            updated_at: String::new(),
            email: email.to_owned(),
            email_verified: false,
            username: username.map(str::to_owned),
            phone_number: None,
            phone_verified: None,
            given_name: None,
            family_name: None,
            name: String::new(),
            nickname: String::new(),
            picture: String::new(),
            blocked: None,
            identities: [identity],
            user_metadata: None,
            app_metadata: None,
        };
        StoredUser { user, password: StoredPassword::new("p") }
    }

    #[test]
    fn each_kind_of_conflict_is_reported() {
        let mut users = UserStore::default();
        users.insert(stored("1", "a@b.co", Some("ada")), true).unwrap();
        assert_eq!(users.insert(stored("1", "x@b.co", None), true), Err(Conflict::UserId));
        assert_eq!(users.insert(stored("2", "a@b.co", None), true), Err(Conflict::Email));
        assert_eq!(users.insert(stored("2", "x@b.co", Some("ada")), true), Err(Conflict::Username));
        assert_eq!(users.profiles().len(), 1);
    }

    #[test]
    fn users_may_share_an_email_if_allowed() {
        let mut users = UserStore::default();
        users.insert(stored("1", "a@b.co", None), false).unwrap();
        users.insert(stored("2", "a@b.co", None), false).unwrap();
        users.remove("auth0|1");
        let left: Vec<_> =
            users.by_email_address("a@b.co").map(|s| s.user.user_id.as_str()).collect();
        assert_eq!(left, ["auth0|2"]);
    }

    #[test]
    fn a_user_of_another_connection_conflicts_with_nobody() {
        let mut users = UserStore::default();
        let neighbour = json!({"user_id": "apple|1", "email": "a@b.co", "email_verified": "true"});
        users.insert_elsewhere(neighbour.clone()).unwrap();
        users.insert(stored("1", "a@b.co", None), true).unwrap();
        assert_eq!(users.profiles_by_email("a@b.co").len(), 2);
        assert_eq!(users.profile("apple|1"), Some(neighbour));
        assert!(users.get("apple|1").is_none(), "nobody logs in with it");
        users.remove("apple|1");
        assert_eq!(users.profiles().len(), 1);
        assert!(users.insert_elsewhere(json!({"email": "a@b.co"})).is_err());
    }

    #[test]
    fn a_linked_user_has_no_profile_and_keeps_its_identifiers() {
        let mut users = UserStore::default();
        users.insert(stored("1", "a@b.co", None), true).unwrap();
        let linked = json!({"user_id": "apple|1", "email": "a@b.co", "identities": [
            {"provider": "apple", "user_id": "1"}, {"provider": "auth0", "user_id": "1"}]});
        users.insert_elsewhere(linked.clone()).unwrap();
        assert_eq!(users.profile("auth0|1"), None);
        assert_eq!((users.profiles_by_email("a@b.co"), users.profiles().len()), (vec![linked], 1));
        assert_eq!(users.insert(stored("2", "a@b.co", None), true), Err(Conflict::Email));
        users.remove("auth0|1");
        assert_eq!(users.insert(stored("1", "a@b.co", None), true), Err(Conflict::UserId));
        // Unlinked.
        users.remove("apple|1");
        assert!(users.profile("auth0|1").is_some());
    }

    #[test]
    fn a_removed_users_identifiers_can_be_reused() {
        let mut users = UserStore::default();
        users.insert(stored("1", "a@b.co", Some("ada")), true).unwrap();
        users.remove("auth0|1");
        users.insert(stored("1", "a@b.co", Some("ada")), true).unwrap();
        assert!(users.get("auth0|1").is_some());
    }
}
