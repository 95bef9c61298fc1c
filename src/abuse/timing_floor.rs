//! The response times that hide whether an e-mail address has an account.
//!
//! Auth0 rejects a known address sooner than it creates a user. Therefore every response about an
//! address or a key leaves one floor after its request. A response that takes longer leaves at the
//! next multiple of the floor. The floor is a setting: nothing is measured, so the first response
//! after a start reveals as little as any other. `examples/existence.rs` measures what remains
//! visible.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Levels response times to multiples of one duration.
#[derive(Debug, Clone, Copy)]
pub struct TimingFloor(Duration);

impl TimingFloor {
    /// A floor of this duration. Zero changes nothing.
    pub const fn new(floor: Duration) -> Self {
        Self(floor)
    }

    /// Waits until a whole multiple of the floor has passed since `started`, at most until
    /// `deadline`. Returns whether the first multiple had passed already.
    pub async fn pad(&self, started: Instant, deadline: Instant) -> bool {
        let Some(multiple) = self.multiple(started.elapsed()) else { return false };
        sleep_until(deadline.min(started + self.0.saturating_mul(multiple))).await;
        multiple > 1
    }

    /// The number of floors that this time has to be extended to; `None` without a floor.
    fn multiple(&self, elapsed: Duration) -> Option<u32> {
        let floors = elapsed.as_nanos().div_ceil(self.0.as_nanos().max(1));
        (!self.0.is_zero()).then(|| u32::try_from(floors.max(1)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Duration = Duration::from_secs(1);

    /// The time of a response after this much work, and whether it was late.
    async fn padded(floor: TimingFloor, work: u64) -> (u128, bool) {
        let started = Instant::now();
        tokio::time::sleep(Duration::from_millis(work)).await;
        let late = floor.pad(started, started + 5 * FLOOR).await;
        (started.elapsed().as_millis(), late)
    }

    #[tokio::test(start_paused = true)]
    async fn every_response_leaves_at_a_multiple_of_the_floor() {
        let floor = TimingFloor::new(FLOOR);
        for work in [0, 5, 80, 300, 1_000] {
            assert_eq!(padded(floor, work).await, (1_000, false), "{work}");
        }
        assert_eq!(padded(floor, 1_001).await, (2_000, true));
        assert_eq!(padded(floor, 2_700).await, (3_000, true));
    }

    #[tokio::test(start_paused = true)]
    async fn no_response_waits_beyond_the_deadline() {
        let floor = TimingFloor::new(FLOOR);
        assert_eq!(padded(floor, 4_999).await, (5_000, true));
        assert_eq!(padded(floor, 5_200).await, (5_200, true));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_floor_nothing_waits() {
        assert_eq!(padded(TimingFloor::new(Duration::ZERO), 7).await, (7, false));
    }
}
