//! The switch that opens and closes sign-ups.

use std::sync::Arc;

use crate::config::SignupSwitchSettings;
use crate::telemetry::Metrics;

/// Open, or closed with an optional message from the operator.
#[derive(Debug)]
pub struct SignupSwitch {
    settings: SignupSwitchSettings,
    metrics: Arc<Metrics>,
}

impl SignupSwitch {
    /// A switch in the position that the settings give.
    pub const fn new(settings: SignupSwitchSettings, metrics: Arc<Metrics>) -> Self {
        Self { settings, metrics }
    }

    /// `None` while sign-ups are open; otherwise the operator's message, if there is one.
    pub const fn closed(&self) -> Option<Option<&Arc<str>>> {
        match &self.settings {
            SignupSwitchSettings::Open => None,
            SignupSwitchSettings::Closed { text } => Some(text.as_ref()),
        }
    }

    /// Checks that sign-ups are open, and counts a post that came while they are closed.
    ///
    /// # Errors
    /// The operator's message, if there is one, while sign-ups are closed.
    pub fn check(&self) -> Result<(), Option<Arc<str>>> {
        match &self.settings {
            SignupSwitchSettings::Open => Ok(()),
            SignupSwitchSettings::Closed { text } => {
                self.metrics.closed_rejected();
                Err(text.clone())
            }
        }
    }
}
