//! The settings of the emulated tenant: plain data that may change while it runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::latency::Latency;
use crate::password::{DictionaryOptions, PasswordOptions, PolicyPreset};
use crate::rate::{ClientQuota, Plan};

/// The client id of a tenant that was told nothing else.
pub const DEFAULT_CLIENT_ID: &str = "demo-client";
/// The client secret of a tenant that was told nothing else.
pub const DEFAULT_CLIENT_SECRET: &str = "demo-secret";
/// The name of the one connection of a tenant that was told nothing else.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// One tenant: an application, a database connection and their limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the tenant's dashboard")]
pub struct Tenant {
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    /// Public keys (PEM) that the application may sign assertions for; the tenant allows two.
    pub public_keys: Vec<String>,
    /// The grant types the application may use.
    pub grant_types: Vec<String>,
    /// Whether the application has a client grant for the Management API.
    pub authorized: bool,
    /// The scopes of that grant.
    pub scopes: Vec<String>,
    /// How long a token is good, in seconds.
    pub token_lifetime_s: u32,
    /// The Management API's audience, if it is not the emulator's address and `/api/v2/`.
    pub audience: Option<String>,
    /// How many tokens the application may draw in an hour and a day.
    pub token_quota: Option<ClientQuota>,
    /// Whose rate limits apply.
    pub plan: Plan,
    /// Whether answers carry the `x-ratelimit-…` headers.
    pub rate_limit_headers: bool,
    /// Whether a rate-limit refusal of the Management API carries `Retry-After`.
    pub retry_after: bool,
    /// An `errorCode` of the plan, such as `feature_not_enabled`, that refuses every create.
    pub plan_error: Option<String>,
    /// How long answers are held back.
    pub latency: Latency,
    /// The verified custom domains.
    pub custom_domains: Vec<String>,
    /// Which of them is the default.
    pub default_custom_domain: Option<String>,
    /// The database connection's name.
    pub connection: String,
    /// Whether the connection takes new users through the Management API.
    pub connection_enabled: bool,
    /// Whether the connection takes public sign-ups.
    pub public_signup: bool,
    /// Whether the connection needs an e-mail.
    pub email_required: bool,
    /// Whether two users may not share an e-mail.
    pub unique_email: bool,
    /// Whether the connection has usernames.
    pub requires_username: bool,
    /// The least length of a username.
    pub username_min: usize,
    /// The greatest length of a username.
    pub username_max: usize,
    /// Whether the connection is a custom database that gives ids of its own and ignores the
    /// caller's `user_id`.
    pub ignores_user_id: bool,
    /// Whether the public sign-up says that a user exists, rather than `invalid_signup`.
    pub user_exists_error: bool,
    /// The password policy.
    pub policy: PolicyPreset,
    /// A least length other than the policy's.
    pub min_length: Option<usize>,
    /// A flexible policy; it replaces `policy` and `min_length`.
    pub password_options: Option<PasswordOptions>,
    /// The dictionary of common passwords.
    pub dictionary: DictionaryOptions,
    /// Whether passwords may not contain personal information.
    pub no_personal_info: bool,
    /// Passwords that count as breached.
    pub breached_passwords: Vec<String>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            client_secret: DEFAULT_CLIENT_SECRET.to_owned(),
            public_keys: Vec::new(),
            grant_types: vec!["client_credentials".to_owned()],
            authorized: true,
            scopes: vec!["create:users".to_owned(), "read:users".to_owned()],
            token_lifetime_s: 86_400,
            audience: None,
            token_quota: None,
            plan: Plan::Unlimited,
            rate_limit_headers: true,
            retry_after: false,
            plan_error: None,
            latency: Latency::None,
            custom_domains: Vec::new(),
            default_custom_domain: None,
            connection: DEFAULT_CONNECTION.to_owned(),
            connection_enabled: true,
            public_signup: true,
            email_required: true,
            unique_email: true,
            requires_username: false,
            username_min: 1,
            username_max: 15,
            ignores_user_id: false,
            user_exists_error: false,
            policy: PolicyPreset::Good,
            min_length: None,
            password_options: None,
            dictionary: DictionaryOptions::default(),
            no_personal_info: false,
            breached_passwords: Vec::new(),
        }
    }
}

impl Tenant {
    /// This tenant with the members of `changes` put over its own.
    ///
    /// # Errors
    ///
    /// When a member is unknown or has a value of the wrong kind.
    pub fn patched(&self, changes: Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("the settings are a JSON object".to_owned());
        };
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(members) = whole.as_object_mut() {
            members.extend(changes);
        }
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let tenant = Tenant { token_lifetime_s: 60, ..Tenant::default() };
        let changed = tenant.patched(json!({"policy": "low", "plan": "free"})).unwrap();
        assert_eq!(
            changed,
            Tenant {
                policy: PolicyPreset::Low,
                plan: Plan::Free,
                token_lifetime_s: 60,
                ..Tenant::default()
            }
        );
    }

    #[test]
    fn an_unknown_member_is_named() {
        let refusal = Tenant::default().patched(json!({"polycy": "low"})).unwrap_err();
        assert!(refusal.contains("polycy"), "{refusal}");
    }
}
