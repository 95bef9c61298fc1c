//! The client for tests of other modules.

use super::Client;
use crate::config;
use crate::context::Context;

impl Client {
    /// A client whose tenant cannot be reached.
    pub(crate) fn unreachable(context: &Context) -> Self {
        let variables = [
            ("AUTH0_DOMAIN", "http://127.0.0.1:1"),
            ("AUTH0_CLIENT_ID", "client"),
            ("AUTH0_CLIENT_SECRET", "secret"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = config::load(None, variables).unwrap();
        Self::start(&settings.auth0, settings.terms, context).unwrap()
    }
}
