//! The settings of the emulated tenant: plain data that may change at run time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::latency::Latency;
use crate::password::{DictionaryOptions, PasswordOptions, PolicyPreset};
use crate::rate::{ClientQuota, Plan};

/// Default client id of the application.
pub const DEFAULT_CLIENT_ID: &str = "demo-client";
/// Default client secret of the application.
pub const DEFAULT_CLIENT_SECRET: &str = "demo-secret";
/// Default client id of the application that people log in to.
pub const DEFAULT_LOGIN_CLIENT_ID: &str = "demo-spa";
/// Default name of the database connection.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// One tenant: an application, a database connection and their limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of the tenant's dashboard")]
pub struct Tenant {
    /// The application's client id.
    pub client_id: String,
    /// The application's client secret.
    pub client_secret: String,
    /// Public keys (PEM) for the application's client assertions. The tenant allows two.
    pub public_keys: Vec<String>,
    /// The grant types the application may use.
    pub grant_types: Vec<String>,
    /// The client id of a second application, which people log in to: a single-page application without a
    /// secret.
    pub login_client_id: String,
    /// The callback URLs that both applications may use. If empty, any URL on loopback.
    pub callbacks: Vec<String>,
    /// Gives the application a client grant for the Management API.
    pub authorized: bool,
    /// The scopes of that client grant.
    pub scopes: Vec<String>,
    /// Lifetime of an access token, in seconds.
    pub token_lifetime_s: u32,
    /// The Management API's audience. The default is the emulator's URL plus `/api/v2/`.
    pub audience: Option<String>,
    /// The application's token quota per hour and per day.
    pub token_quota: Option<ClientQuota>,
    /// The subscription plan whose rate limits apply.
    pub plan: Plan,
    /// Adds the `x-ratelimit-…` headers to responses.
    pub rate_limit_headers: bool,
    /// Adds `Retry-After` to 429 responses of the Management API.
    pub retry_after: bool,
    /// An `errorCode` of the plan, such as `feature_not_enabled`, with which every create call
    /// fails.
    pub plan_error: Option<String>,
    /// Delay added to each response.
    pub latency: Latency,
    /// The verified custom domains.
    pub custom_domains: Vec<String>,
    /// The default custom domain, one of the above.
    pub default_custom_domain: Option<String>,
    /// The database connection's name.
    pub connection: String,
    /// The connection's strategy: `auth0` for a database.
    pub strategy: String,
    /// The connection's `options.attributes`, which the connections API shows. Users are created by
    /// `requires_username` alone.
    pub attributes: Option<Value>,
    /// Allows creating users through the Management API.
    pub connection_enabled: bool,
    /// Allows public sign-ups.
    pub public_signup: bool,
    /// Rejects a second user with the same e-mail.
    pub unique_email: bool,
    /// Requires a username for every user; without it usernames are not allowed.
    pub requires_username: bool,
    /// The minimum length of a username.
    pub username_min: usize,
    /// The maximum length of a username.
    pub username_max: usize,
    /// Behaves like a custom database, which assigns its own ids and ignores the caller's
    /// `user_id`. Its ids begin with the connection's name and a bar, as Auth0 advises, so that those of two
    /// databases differ.
    pub ignores_user_id: bool,
    /// Makes the public sign-up respond with `user_exists` instead of `invalid_signup`.
    pub user_exists_error: bool,
    /// The password policy.
    pub policy: PolicyPreset,
    /// A minimum length that overrides the policy's.
    pub min_length: Option<usize>,
    /// A flexible policy, which replaces `policy` and `min_length`.
    pub password_options: Option<PasswordOptions>,
    /// The dictionary of common passwords.
    pub dictionary: DictionaryOptions,
    /// Rejects passwords that contain personal information.
    pub no_personal_info: bool,
    /// Passwords treated as breached.
    pub breached_passwords: Vec<String>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            client_secret: DEFAULT_CLIENT_SECRET.to_owned(),
            public_keys: Vec::new(),
            grant_types: vec!["client_credentials".to_owned()],
            login_client_id: DEFAULT_LOGIN_CLIENT_ID.to_owned(),
            callbacks: Vec::new(),
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
            strategy: "auth0".to_owned(),
            attributes: None,
            connection_enabled: true,
            public_signup: true,
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
    /// Returns this tenant with the members of `changes` replaced.
    ///
    /// # Errors
    ///
    /// Returns an error if a member is unknown or has the wrong type.
    pub fn patched(&self, changes: Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("the settings must be a JSON object".to_owned());
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
    fn a_patch_changes_only_the_members_it_names() {
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
    fn an_unknown_member_is_named_in_the_error() {
        let error = Tenant::default().patched(json!({"polycy": "low"})).unwrap_err();
        assert!(error.contains("polycy"), "{error}");
    }
}
