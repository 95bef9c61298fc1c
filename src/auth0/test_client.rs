//! A tenant that cannot be reached, for tests.

use super::Client;
use crate::config::{self, Settings};
use crate::context::Context;

/// Settings of a tenant that cannot be reached.
pub(super) fn settings() -> Settings {
    let variables = [
        ("AUTH0_DOMAIN", "http://127.0.0.1:1"),
        ("AUTH0_CLIENT_ID", "client"),
        ("AUTH0_CLIENT_SECRET", "secret"),
    ];
    config::load(None, variables.map(|(name, value)| (name.into(), value.into()))).unwrap()
}

impl Client {
    /// A client whose tenant cannot be reached.
    pub(crate) fn unreachable(context: &Context) -> Self {
        let settings = settings();
        Self::start(&settings.auth0, settings.terms, context).unwrap()
    }
}
