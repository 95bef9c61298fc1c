//! Code shared by the three body targets.

use std::ffi::OsString;
use std::sync::LazyLock;

use auth0_signup::config::{self, Settings};
use auth0_signup::fuzzing;
use tokio::runtime::{Builder, Runtime};

/// Every optional feature is on, to reach as much code as possible.
const SETTINGS: [(&str, &str); 8] = [
    ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
    ("AUTH0_CLIENT_ID", "id"),
    ("AUTH0_CLIENT_SECRET", "secret"),
    ("SIGNUP__FIELDS__USERNAME", "optional"),
    ("SIGNUP__FIELDS__PHONE_NUMBER", "optional"),
    ("SIGNUP__USER_METADATA__ALLOW", "plan,team"),
    ("SIGNUP__PASSWORD__DICTIONARY__ACTIVE", "true"),
    ("SIGNUP__PASSWORD__PROFILE_DATA__ACTIVE", "true"),
];

static STATE: LazyLock<(Runtime, Settings)> = LazyLock::new(|| {
    let variables = SETTINGS.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    (runtime, config::load(None, variables).expect("good settings"))
});

/// Parses and validates a body of this media type.
pub fn form(content_type: &'static str, body: &[u8]) {
    let (runtime, settings) = &*STATE;
    runtime.block_on(fuzzing::form(content_type, body, &settings.rules));
}
