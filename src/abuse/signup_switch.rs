//! The gate: whether sign-ups are open at all.

use std::sync::Arc;

use crate::config::SignupSwitchSettings;
use crate::telemetry::Metrics;

/// Open, or closed with a text for those who come.
#[derive(Debug)]
pub struct SignupSwitch {
    settings: SignupSwitchSettings,
    metrics: Arc<Metrics>,
}

impl SignupSwitch {
    /// As the settings have it.
    pub const fn new(settings: SignupSwitchSettings, metrics: Arc<Metrics>) -> Self {
        Self { settings, metrics }
    }

    /// Whether it is closed, and with which text.
    pub const fn closed(&self) -> Option<Option<&Arc<str>>> {
        match &self.settings {
            SignupSwitchSettings::Open => None,
            SignupSwitchSettings::Closed { text } => Some(text.as_ref()),
        }
    }

    /// Lets a post in.
    ///
    /// # Errors
    /// When it is closed: the operator's text, if there is one.
    pub fn pass(&self) -> Result<(), Option<Arc<str>>> {
        match &self.settings {
            SignupSwitchSettings::Open => Ok(()),
            SignupSwitchSettings::Closed { text } => {
                self.metrics.gate_refused();
                Err(text.clone())
            }
        }
    }
}
