//! The switch that opens and closes sign-ups.

use std::sync::Arc;

use crate::config::SignupSwitchSettings;

/// Open, or closed with an optional message from the operator.
#[derive(Debug)]
pub struct SignupSwitch(SignupSwitchSettings);

impl SignupSwitch {
    /// A switch in the position that the settings give.
    pub const fn new(settings: SignupSwitchSettings) -> Self {
        Self(settings)
    }

    /// Checks that sign-ups are open.
    ///
    /// # Errors
    /// The operator's message, if there is one, while sign-ups are closed.
    pub fn check(&self) -> Result<(), Option<Arc<str>>> {
        match &self.0 {
            SignupSwitchSettings::Open => Ok(()),
            SignupSwitchSettings::Closed { text } => Err(text.clone()),
        }
    }
}
