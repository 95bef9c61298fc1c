//! A connection as `GET /api/v2/connections` describes it, for `auth0-signup doctor`.
//!
//! Every member may be absent or null: Auth0 leaves out options that were never set, and a tool that
//! manages the tenant may have stored a null. [`read`] makes both the default.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::TransportError;
use super::response::ApiResponse;

/// Reads the body of a 200; a null counts as absent.
///
/// # Errors
/// [`TransportError::Unreadable`] when it has another form.
pub(super) fn read<T: DeserializeOwned>(response: &ApiResponse) -> Result<T, TransportError> {
    let mut body: Value = response.json()?;
    remove_nulls(&mut body);
    serde_json::from_value(body).map_err(|_| TransportError::Unreadable(response.status))
}

/// Removes every null in a value, but not the value itself.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Array(values) => {
            values.retain(|value| !value.is_null());
            values.iter_mut().for_each(remove_nulls);
        }
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A connection of the tenant.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConnectionRecord {
    /// Its name.
    pub name: String,
    /// `auth0` for a database.
    pub strategy: String,
    /// The applications that may use it. `None`: the response does not list them.
    pub enabled_clients: Option<Vec<String>>,
    /// Its options.
    pub options: ConnectionOptions,
}

/// The options of a database connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConnectionOptions {
    /// A username is required; without it usernames are not accepted.
    pub requires_username: bool,
    /// Auth0's own sign-up is off.
    pub disable_signup: bool,
    /// The users are in a database of the operator's.
    #[serde(rename = "enabledDatabaseCustomization")]
    pub is_custom_database: bool,
    /// The bounds of a username.
    pub validation: ConnectionValidation,
    /// Flexible identifiers, which replace `requires_username`: one for each of `email`,
    /// `phone_number` and `username`.
    pub attributes: Option<BTreeMap<String, IdentifierAttribute>>,
    /// The level of a legacy policy. `None` means `none`.
    #[serde(rename = "passwordPolicy")]
    pub password_policy: Option<String>,
    /// The minimum length of a legacy policy.
    pub password_complexity_options: Option<ComplexityOptions>,
    /// The dictionary of a legacy policy.
    pub password_dictionary: Option<LegacyDictionary>,
    /// The comparison with personal data of a legacy policy.
    pub password_no_personal_info: Option<NoPersonalInfo>,
    /// A flexible policy, which replaces the others.
    pub password_options: Option<FlexiblePolicy>,
}

/// `validation`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConnectionValidation {
    /// The bounds of a username.
    pub username: Option<UsernameBounds>,
}

/// `validation.username`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct UsernameBounds {
    /// The minimum length.
    pub min: Option<usize>,
    /// The maximum length.
    pub max: Option<usize>,
}

/// An entry of `attributes`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct IdentifierAttribute {
    /// Its part in a sign-up.
    pub signup: AttributeSignup,
    /// `false` lets several users have one value.
    pub unique: Option<bool>,
}

/// `attributes.<name>.signup`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AttributeSignup {
    /// `required`, `optional` or `inactive`.
    pub status: Option<String>,
}

/// `password_complexity_options`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComplexityOptions {
    /// The minimum length.
    pub min_length: Option<usize>,
}

/// `password_dictionary`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LegacyDictionary {
    /// Turns it on.
    pub enable: bool,
    /// The operator's own words.
    pub dictionary: Vec<String>,
}

/// `password_no_personal_info`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NoPersonalInfo {
    /// Turns it on.
    pub enable: bool,
}

/// `password_options`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlexiblePolicy {
    /// Length and characters.
    pub complexity: FlexibleComplexity,
    /// Common passwords.
    pub dictionary: FlexibleDictionary,
    /// Personal data.
    pub profile_data: FlexibleProfileData,
}

/// `password_options.complexity`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlexibleComplexity {
    /// The minimum length.
    pub min_length: Option<usize>,
    /// The names of the character types.
    pub character_types: Vec<String>,
    /// `all` or `three_of_four`.
    pub character_type_rule: Option<String>,
    /// `allow` or `block`.
    pub identical_characters: Option<String>,
    /// `allow` or `block`.
    pub sequential_characters: Option<String>,
}

/// `password_options.dictionary`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlexibleDictionary {
    /// Turns it on.
    pub active: bool,
    /// `en_10k` or `en_100k`.
    #[serde(rename = "default")]
    pub size: Option<String>,
    /// The operator's own words.
    pub custom: Vec<String>,
}

/// `password_options.profile_data`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlexibleProfileData {
    /// Turns it on.
    pub active: bool,
    /// The compared fields; none means Auth0's own list.
    pub blocked_fields: Vec<String>,
}

/// A custom domain of the tenant.
#[derive(Debug, Deserialize)]
pub struct CustomDomain {
    /// Its name.
    pub domain: String,
    /// `ready` once it is verified.
    #[serde(default)]
    pub status: String,
    /// The domain for calls that name none.
    #[serde(default)]
    pub is_default: bool,
}
