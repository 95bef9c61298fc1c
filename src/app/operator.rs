//! The wiring of an operator's commands: the ledger beside a running service, and the reconciler.

use std::sync::Arc;

use super::{StartError, digests, open_ledger, signups};
use crate::auth0::Client;
use crate::clock::Clock;
use crate::config::{Database, LedgerSettings, Settings};
use crate::context::Context;
use crate::digest::Digests;
use crate::ledger::{Access, Ledger, OpenError};
pub use crate::signup::{Reconciler, UnresolvedReason};

/// The ledger of a service, opened for one command.
#[derive(Debug)]
pub struct OperatorContext {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    context: Context,
}

impl OperatorContext {
    /// Opens the ledger, which must exist and be up to date. A command neither creates it nor
    /// changes its tables under a service of another version.
    ///
    /// # Errors
    /// When it does not exist, is not up to date, cannot be reached, or has another secret.
    pub async fn open(
        settings: &LedgerSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        if let Database::Sqlite(path) = &settings.database
            && path.try_exists().is_ok_and(|exists| !exists)
        {
            return Err(OpenError::Absent { path: path.clone() }.into());
        }
        let settings = LedgerSettings { migrate: false, ..settings.clone() };
        let context = Context::new(clock, digests(&settings)?);
        let ledger = open_ledger(&settings, Access::Cli, &context).await?;
        Ok(Self { ledger, context })
    }

    /// The digests to search the ledger by.
    pub fn digests(&self) -> &Digests {
        &self.context.digests
    }

    /// Creates the reconciler for this ledger and the tenant of these settings.
    ///
    /// # Errors
    /// When TLS cannot be set up or a setting cannot be sent in a request.
    pub async fn reconciler(&self, settings: &Settings) -> Result<Reconciler, StartError> {
        let client = Client::start(&settings.auth0, settings.terms.clone(), &self.context)?;
        let signups = signups(settings, &self.context, &Arc::new(client), &self.ledger).await;
        Ok(signups.reconciler())
    }

    /// Closes the ledger and stops the reconciler's background tasks.
    pub async fn close(self) {
        self.ledger.close().await;
        self.context.lifecycle.stop();
    }
}

/// The OpenAPI document.
pub fn openapi() -> String {
    crate::http::openapi::text()
}
