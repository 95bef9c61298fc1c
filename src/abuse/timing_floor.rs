//! How long an answer takes that must not tell whether somebody has an account.
//!
//! Auth0 refuses a known address sooner than it makes a user. So nobody is answered sooner than
//! nine of ten new users are, and an answer that would be early is held back for as long as one of
//! the last new users took, drawn at random. `examples/existence.rs` measures what is left to see.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How many of the last new users are remembered.
const REMEMBERED: usize = 512;

/// With fewer than these the usual time is not known yet.
const TELLING: usize = 32;

/// The part of new users that is answered at the one time that nearly all answers have, in
/// hundredths. The others are told apart by nothing but their own time, which is drawn for known
/// addresses too.
const LEVELLED: usize = 90;

/// Answers leave at whole multiples of this after their request: what is left of a difference
/// between a time that was measured and one that was drawn is less than a timer's own tick.
const GRID: Duration = Duration::from_millis(16);

/// How long the last new users took.
#[derive(Debug)]
pub struct TimingFloor {
    first: Duration,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    times: Vec<Duration>,
    /// Where the next one goes once there are [`REMEMBERED`].
    oldest: usize,
    /// What nobody is answered sooner than.
    floor: Duration,
}

impl TimingFloor {
    /// A pace that begins with `first` as the least time of an answer.
    pub const fn new(first: Duration) -> Self {
        let taken = Taken { times: Vec::new(), oldest: 0, floor: first };
        Self { first, taken: Mutex::new(taken) }
    }

    /// Holds the answer of a new user back as far as it has to be, and remembers its time.
    pub async fn created(&self, began: Instant) {
        let took = began.elapsed();
        let floor = self.with(|taken| taken.remember(took));
        sleep_until(began + on_grid(took.max(floor))).await;
    }

    /// Holds every other answer back for as long as a new user's might have taken.
    pub async fn other(&self, began: Instant) {
        let first = self.first;
        let (floor, drawn) = self.with(|taken| (taken.floor, taken.draw().unwrap_or(first)));
        sleep_until(began + on_grid(began.elapsed().max(floor).max(drawn))).await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Taken) -> T) -> T {
        // Times alone: whatever a holder that panicked left is good enough.
        work(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Taken {
    /// Remembers a new user's time, and says what nobody is answered sooner than.
    fn remember(&mut self, took: Duration) -> Duration {
        if self.times.len() < REMEMBERED {
            self.times.push(took);
        } else if let Some(oldest) = self.times.get_mut(self.oldest) {
            *oldest = took;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        if self.times.len() >= TELLING {
            let mut times = self.times.clone();
            let at = times.len() * LEVELLED / 100;
            self.floor = *times.select_nth_unstable(at).1;
        }
        self.floor
    }

    /// One of the last new users' times.
    fn draw(&self) -> Option<Duration> {
        if self.times.len() < TELLING {
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

    const FIRST: Duration = Duration::from_secs(1);

    async fn ends(pace: &TimingFloor, work: Duration, created: bool) -> Duration {
        let began = Instant::now();
        tokio::time::sleep(work).await;
        if created {
            pace.created(began).await;
        } else {
            pace.other(began).await;
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn before_anything_is_known_all_take_the_first_pace() {
        let pace = TimingFloor::new(FIRST);
        for (work, created) in [(300, true), (80, false), (5, false)] {
            let took = ends(&pace, Duration::from_millis(work), created).await;
            assert!(took >= FIRST && took <= FIRST + GRID * 2, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_answer_takes_a_time_that_a_new_user_took() {
        let pace = TimingFloor::new(FIRST);
        for n in 1..=100 {
            ends(&pace, Duration::from_millis(n * 10), true).await;
        }
        let mut times: Vec<_> = Vec::new();
        for _ in 0..200 {
            times.push(ends(&pace, Duration::from_millis(5), false).await);
        }
        times.sort();
        // Nine of ten at the floor of 910 ms, the others spread up to the slowest.
        let floor = Duration::from_millis(910);
        assert!(times[0] >= floor && times[150] <= floor + GRID * 2, "{times:?}");
        assert!(times[199] > Duration::from_millis(930), "{times:?}");
        assert!(times[199] <= FIRST + GRID * 2, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_new_users_count() {
        let pace = TimingFloor::new(FIRST);
        for work in [2_000, 100] {
            for _ in 0..REMEMBERED {
                ends(&pace, Duration::from_millis(work), true).await;
            }
        }
        let took = ends(&pace, Duration::ZERO, false).await;
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_millis(140),
            "{took:?}"
        );
    }
}
