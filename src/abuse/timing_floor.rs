//! The response times that hide whether an e-mail address has an account.
//!
//! Auth0 rejects a known address sooner than it creates a user. Therefore both responses take at
//! least as long as nine of ten new users. A response without a new user also takes at least as
//! long as one of the last new users, drawn at random. `examples/existence.rs` measures what
//! remains visible.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Number of new users whose times are kept.
const SAMPLES: usize = 512;

/// With fewer samples than this, the initial floor applies.
const MIN_SAMPLES: usize = 32;

/// Percentage of new users whose responses leave at the floor. The others leave at their own time,
/// and known addresses draw from the same times.
const FLOOR_PERCENTILE: usize = 90;

/// Responses leave at whole multiples of this after their request. The difference that remains
/// between a measured time and a drawn one is below the resolution of a timer.
const GRID: Duration = Duration::from_millis(16);

/// Pads response times with the times that the last new users took.
#[derive(Debug)]
pub struct TimingFloor {
    initial: Duration,
    samples: Mutex<Samples>,
}

#[derive(Debug)]
struct Samples {
    times: Vec<Duration>,
    /// Index of the sample to replace next, once there are [`SAMPLES`].
    oldest: usize,
    /// The shortest time of a response.
    floor: Duration,
}

impl TimingFloor {
    /// A floor that starts at `initial`, until enough new users were measured.
    pub const fn new(initial: Duration) -> Self {
        let samples = Samples { times: Vec::new(), oldest: 0, floor: initial };
        Self { initial, samples: Mutex::new(samples) }
    }

    /// Delays the response for a new user to the floor, and records the time that it took.
    pub async fn pad_created(&self, started: Instant) {
        let took = started.elapsed();
        let floor = self.with(|samples| samples.record(took));
        sleep_until(started + on_grid(took.max(floor))).await;
    }

    /// Delays any other response by a time that a new user might have taken.
    pub async fn pad_other(&self, started: Instant) {
        let initial = self.initial;
        let (floor, drawn) =
            self.with(|samples| (samples.floor, samples.draw().unwrap_or(initial)));
        sleep_until(started + on_grid(started.elapsed().max(floor).max(drawn))).await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Samples) -> T) -> T {
        // Only times are stored, so a poisoned value is still usable.
        work(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Samples {
    /// Records the time of a new user, and returns the floor.
    fn record(&mut self, took: Duration) -> Duration {
        if self.times.len() < SAMPLES {
            self.times.push(took);
        } else if let Some(oldest) = self.times.get_mut(self.oldest) {
            *oldest = took;
            self.oldest = (self.oldest + 1) % SAMPLES;
        }
        if self.times.len() >= MIN_SAMPLES {
            let mut times = self.times.clone();
            let at = times.len() * FLOOR_PERCENTILE / 100;
            self.floor = *times.select_nth_unstable(at).1;
        }
        self.floor
    }

    /// The time of one of the last new users, at random.
    fn draw(&self) -> Option<Duration> {
        if self.times.len() < MIN_SAMPLES {
            return None;
        }
        self.times.get(rand::random_range(0..self.times.len())).copied()
    }
}

/// The next time on the grid.
fn on_grid(time: Duration) -> Duration {
    let grid = GRID.as_nanos();
    let steps = time.as_nanos().div_ceil(grid);
    GRID.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIAL: Duration = Duration::from_secs(1);

    async fn padded(floor: &TimingFloor, work: Duration, created: bool) -> Duration {
        let started = Instant::now();
        tokio::time::sleep(work).await;
        if created {
            floor.pad_created(started).await;
        } else {
            floor.pad_other(started).await;
        }
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_initial_floor_applies_before_anything_was_measured() {
        let floor = TimingFloor::new(INITIAL);
        for (work, created) in [(300, true), (80, false), (5, false)] {
            let took = padded(&floor, Duration::from_millis(work), created).await;
            assert!(took >= INITIAL && took <= INITIAL + GRID * 2, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_response_takes_a_time_that_a_new_user_took() {
        let floor = TimingFloor::new(INITIAL);
        for n in 1..=100 {
            padded(&floor, Duration::from_millis(n * 10), true).await;
        }
        let mut times: Vec<_> = Vec::new();
        for _ in 0..200 {
            times.push(padded(&floor, Duration::from_millis(5), false).await);
        }
        times.sort();
        // Nine of ten at the floor of 910 ms, the others spread up to the slowest.
        let floor = Duration::from_millis(910);
        assert!(times[0] >= floor && times[150] <= floor + GRID * 2, "{times:?}");
        assert!(times[199] > Duration::from_millis(930), "{times:?}");
        assert!(times[199] <= INITIAL + GRID * 2, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_new_users_count() {
        let floor = TimingFloor::new(INITIAL);
        for work in [2_000, 100] {
            for _ in 0..SAMPLES {
                padded(&floor, Duration::from_millis(work), true).await;
            }
        }
        let took = padded(&floor, Duration::ZERO, false).await;
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_millis(140),
            "{took:?}"
        );
    }
}
