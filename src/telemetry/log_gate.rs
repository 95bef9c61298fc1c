//! Lets a message through once a minute, for what may happen on every request in an outage.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The shortest time between two lines of one message.
const EVERY: Duration = Duration::from_mins(1);

/// Decides when a message is logged again. Metrics count what it leaves out.
#[derive(Debug, Default)]
pub struct LogGate(Mutex<Option<Instant>>);

impl LogGate {
    /// A gate that lets the first message through.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns whether the message is due. Of several concurrent ones, one is.
    pub fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= EVERY);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_message_is_due_once_a_minute() {
        let gate = LogGate::new();
        assert!(gate.is_due() && !gate.is_due());
        advance(EVERY).await;
        assert!(gate.is_due() && !gate.is_due());
    }
}
