//! `[signup]`, `[idempotency]` and `[reconciliation]`: the switch for sign-ups, and the times
//! that they wait.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Reader;

/// The waiting times of a sign-up.
#[derive(Debug, Clone, Copy)]
pub struct SignupSettings {
    /// The time that a duplicate request waits for the first one.
    pub duplicate_wait: Duration,
    /// The grace period after a call's connection closed. A lookup that finds no user after it
    /// proves that the call created none.
    pub not_created_after: Duration,
}

/// The switch that opens or closes sign-ups.
#[derive(Debug, Clone)]
pub enum SignupSwitchSettings {
    /// Open to everyone.
    Open,
    /// Closed to everyone.
    Closed {
        /// The operator's message.
        text: Option<Arc<str>>,
    },
}

/// The maximum length of the message, in characters.
const MAX_TEXT_LENGTH: usize = 500;

pub(super) fn read_switch(reader: &mut Reader<'_>) -> SignupSwitchSettings {
    let open = reader.flag("signup.open");
    let text = reader.parsed("signup.closed_text", "one line of at most 500 characters", |text| {
        (text.chars().count() <= MAX_TEXT_LENGTH).then(|| Arc::from(text))
    });
    if open { SignupSwitchSettings::Open } else { SignupSwitchSettings::Closed { text } }
}

pub(super) fn read(reader: &mut Reader<'_>) -> SignupSettings {
    SignupSettings {
        duplicate_wait: reader.millis("idempotency.wait_ms", 0..=60_000),
        not_created_after: reader.millis("reconciliation.not_created_after_ms", 1_000..=3_600_000),
    }
}
