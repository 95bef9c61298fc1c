//! `[idempotency]` and `[settlement]`: how long is waited for what.

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

pub(super) fn read(reader: &mut Reader<'_>) -> SignupSettings {
    SignupSettings {
        twin_wait: reader.millis("idempotency.wait_ms", 0..=60_000),
        not_created_after: reader.millis("settlement.not_created_after_ms", 1_000..=3_600_000),
    }
}
