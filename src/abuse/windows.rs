//! Counts of all clients together, over the last minute.

use std::time::Duration;

use tokio::time::Instant;

/// Length of a counting window. The window before it counts in part.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// The current window and the one before it.
#[derive(Debug)]
pub(super) struct Windows {
    started: Instant,
    current: Count,
    previous: Count,
}

/// Attempts, those whose outcome counts, and the unsuccessful ones among them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) attempts: u32,
    pub(super) outcomes: u32,
    pub(super) unsuccessful: u32,
}

impl Windows {
    /// Windows without counts, from now on.
    pub(super) fn new() -> Self {
        let (current, previous) = (Count::default(), Count::default());
        Self { started: Instant::now(), current, previous }
    }

    /// Starts a new window if the current one is over.
    fn rotate(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        if elapsed >= WINDOW {
            self.previous = if elapsed < WINDOW * 2 { self.current } else { Count::default() };
            self.current = Count::default();
            self.started = now;
        }
    }

    /// Adds to the current window.
    pub(super) fn add(&mut self, more: Count, now: Instant) {
        self.rotate(now);
        let current = &mut self.current;
        current.attempts = current.attempts.saturating_add(more.attempts);
        current.outcomes = current.outcomes.saturating_add(more.outcomes);
        current.unsuccessful = current.unsuccessful.saturating_add(more.unsuccessful);
    }

    /// The count of the last minute: the current window, and the previous one in proportion.
    pub(super) fn count(&mut self, now: Instant) -> Count {
        self.rotate(now);
        let left = WINDOW.saturating_sub(now.saturating_duration_since(self.started));
        let part = |previous: u32| {
            let part = u128::from(previous) * left.as_millis() / WINDOW.as_millis();
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        let Count { attempts, outcomes, unsuccessful } = self.current;
        Count {
            attempts: attempts.saturating_add(part(self.previous.attempts)),
            outcomes: outcomes.saturating_add(part(self.previous.outcomes)),
            unsuccessful: unsuccessful.saturating_add(part(self.previous.unsuccessful)),
        }
    }
}
