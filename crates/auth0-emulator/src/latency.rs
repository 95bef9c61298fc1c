//! The tenant's response times: none, fixed, or sampled from recordings.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::locked::Locked;
use crate::route::Route;

/// Delay added to each response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// No delay.
    #[default]
    None,
    /// Recorded latencies: the median create call takes 289 ms, the 99th percentile 3.8 s.
    ///
    /// Sampled from recordings of developer tenants.
    Recorded,
    /// The same number of milliseconds for every response.
    #[value(skip)]
    FixedMs(u32),
}

/// A point of a distribution: this share of the responses takes at most this many milliseconds.
type Quantile = (f64, f64);

/// `POST /api/v2/users`, 268 recordings.
const CREATE: &[Quantile] =
    &[(0.0, 140.0), (0.5, 289.0), (0.9, 587.0), (0.99, 3800.0), (1.0, 5200.0)];
/// `GET` of a user, 2,838 recordings.
const READ: &[Quantile] = &[(0.0, 70.0), (0.5, 120.0), (0.99, 660.0), (1.0, 900.0)];
/// `POST /oauth/token`, 53 recordings.
const TOKEN: &[Quantile] = &[(0.0, 100.0), (0.5, 189.0), (1.0, 540.0)];
/// `POST /dbconnections/signup`, 10 recordings.
const SIGNUP: &[Quantile] = &[(0.0, 350.0), (0.5, 489.0), (1.0, 740.0)];

/// Samples latencies. The same seed gives the same sequence.
#[derive(Debug)]
pub(crate) struct LatencyRng {
    /// The state of the generator.
    state: Locked<u64>,
}

impl LatencyRng {
    /// A generator that starts from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Locked::new(seed) }
    }

    /// The delay of the next response on `route`.
    pub(crate) fn delay(&self, latency: Latency, route: Route) -> Duration {
        match latency {
            Latency::None => Duration::ZERO,
            Latency::FixedMs(ms) => Duration::from_millis(ms.into()),
            Latency::Recorded => {
                let curve = match route {
                    Route::CreateUser => CREATE,
                    Route::Token => TOKEN,
                    Route::Signup | Route::ChangePassword => SIGNUP,
                    Route::Preflight => return Duration::ZERO,
                    _ => READ,
                };
                Duration::from_secs_f64(at_quantile(curve, self.next_unit()) / 1000.0)
            }
        }
    }

    /// A number in `0.0..1.0`, from the `SplitMix64` generator.
    fn next_unit(&self) -> f64 {
        let bits = self.state.with(|state| {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        });
        f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / 2f64.powi(32)
    }
}

/// The value of a distribution at `share`, interpolated linearly between its points.
fn at_quantile(curve: &[Quantile], share: f64) -> f64 {
    let mut below = curve.first().copied().unwrap_or_default();
    for &point in curve {
        if share <= point.0 {
            let width = point.0 - below.0;
            let part = if width > 0.0 { (share - below.0) / width } else { 1.0 };
            return below.1 + part * (point.1 - below.1);
        }
        below = point;
    }
    below.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_quantiles_match_the_recorded_ones() {
        let latency_rng = LatencyRng::new(7);
        let mut drawn: Vec<u128> = (0..10_000)
            .map(|_| latency_rng.delay(Latency::Recorded, Route::CreateUser).as_millis())
            .collect();
        drawn.sort_unstable();
        assert!((270..310).contains(&drawn[5_000]), "p50 is {}", drawn[5_000]);
        assert!((550..700).contains(&drawn[9_000]), "p90 is {}", drawn[9_000]);
        assert!((3_400..4_200).contains(&drawn[9_900]), "p99 is {}", drawn[9_900]);
    }

    #[test]
    fn the_same_seed_gives_the_same_latencies() {
        let draw = |seed| {
            let latency_rng = LatencyRng::new(seed);
            [(); 5].map(|()| latency_rng.delay(Latency::Recorded, Route::Token))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
