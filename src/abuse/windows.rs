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
        if elapsed >= WINDOW * 2 {
            *self = Self { started: now, current: Count::default(), previous: Count::default() };
        } else if elapsed >= WINDOW {
            self.previous = std::mem::take(&mut self.current);
            // Not `now`: the window that is over would count in full for longer than it lasted.
            self.started += WINDOW;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_less_and_less_and_then_not_at_all() {
        let mut windows = Windows::new();
        let start = windows.started;
        let burst = Count { attempts: 60, outcomes: 60, unsuccessful: 60 };
        windows.add(burst, start);
        // Whether it is asked at 63 s makes no difference at 90 s.
        for (seconds, attempts) in [(0, 60), (59, 60), (63, 57), (90, 30), (119, 1), (120, 0)] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(windows.count(now).attempts, attempts, "{seconds} s");
        }
        let mut unasked = Windows { started: start, ..Windows::new() };
        unasked.add(burst, start);
        assert_eq!(unasked.count(start + Duration::from_secs(90)).attempts, 30);
        assert_eq!(unasked.count(start + WINDOW * 5).unsuccessful, 0);
    }
}
