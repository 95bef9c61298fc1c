//! `[signup]`, `[idempotency]` and `[reconciliation]`: whether sign-ups are open, and how long is waited
//! for what.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Reader;

/// The waits of a sign-up.
#[derive(Debug, Clone, Copy)]
pub struct SignupSettings {
    /// How long a request waits for another with the same key.
    pub twin_wait: Duration,
    /// How long after a call's connection ended finding no user proves that there is none.
    pub not_created_after: Duration,
}

/// Whether sign-ups are open.
#[derive(Debug, Clone)]
pub enum SignupSwitchSettings {
    /// Everybody may try.
    Open,
    /// Nobody may.
    Closed {
        /// What those who come are told beside it.
        text: Option<Arc<str>>,
    },
}

/// The longest text of a closed gate, in characters.
const LONGEST_TEXT: usize = 500;

pub(super) fn read_gate(reader: &mut Reader<'_>) -> SignupSwitchSettings {
    let open = reader.flag("signup.open");
    let text = reader.text("signup.closed_text");
    let long =
        |text: &String| text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control);
    if text.as_ref().is_some_and(long) {
        reader.fault("signup.closed_text", "one line of at most 500 characters");
    }
    if open {
        SignupSwitchSettings::Open
    } else {
        SignupSwitchSettings::Closed { text: text.map(Arc::from) }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> SignupSettings {
    SignupSettings {
        twin_wait: reader.millis("idempotency.wait_ms", 0..=60_000),
        not_created_after: reader.millis("reconciliation.not_created_after_ms", 1_000..=3_600_000),
    }
}
