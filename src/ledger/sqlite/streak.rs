//! Batches that succeed one after the other, as they do under load: while they do, the start of an attempt
//! need not be waited for.

use std::time::{Duration, Instant};

/// The number of batches that have to succeed in a row before jobs are accepted that nobody waits for.
const STREAK: u32 = 100;

/// The longest pause between two batches of a streak. Longer than the writer's `JOIN_WAIT`: under load, jobs
/// that nobody waits for continue the streak by themselves.
const STREAK_PAUSE: Duration = Duration::from_millis(50);

/// The time since the last batch after which jobs are waited for until the next one ends. A batch that moves the
/// log to the database may take a tenth of a second while other threads use every processor.
const STREAK_STALL: Duration = Duration::from_millis(200);

/// Batches that have succeeded in a row, as they do under load.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Streak {
    batches: u32,
    ended_at: Option<Instant>,
}

impl Streak {
    /// Adds a batch that has succeeded.
    pub(super) fn add(self, started_at: Instant, ended_at: Instant) -> Self {
        let follows = self.ended_within(STREAK_PAUSE, started_at);
        let batches = if follows { self.batches.saturating_add(1) } else { 1 };
        Self { batches, ended_at: Some(ended_at) }
    }

    /// Returns whether the next batch will very likely succeed, and soon.
    pub(super) fn is_reliable(self, now: Instant) -> bool {
        self.batches >= STREAK && self.ended_within(STREAK_STALL, now)
    }

    fn ended_within(self, time: Duration, before: Instant) -> bool {
        self.ended_at.is_some_and(|at| before.duration_since(at) < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streak_ends_with_a_pause_or_a_stall() {
        let start = Instant::now();
        let at = |number: u32| start + STREAK_PAUSE * number / 2;
        // Each takes no time.
        let add = |streak: Streak, number: u32| streak.add(at(number), at(number));
        let full = (0..STREAK).fold(Streak::default(), add);
        assert!(full.is_reliable(at(STREAK)));
        assert!(!full.is_reliable(at(STREAK) + STREAK_STALL), "a stall");
        let after_a_pause = add(full, STREAK + 2);
        assert!(!after_a_pause.is_reliable(at(STREAK + 2)), "a pause");
        let slow = full.add(at(STREAK), at(STREAK + 4));
        assert!(add(slow, STREAK + 5).is_reliable(at(STREAK + 5)), "a slow batch is no pause");
        let short = (1..STREAK).fold(Streak::default(), add);
        assert!(!short.is_reliable(at(STREAK)));
    }
}
