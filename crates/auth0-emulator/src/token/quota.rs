//! The number of tokens issued to the application in the current hour and day of UTC.

use crate::locked::Locked;
use crate::rate::ClientQuota;

/// Seconds in an hour.
const HOUR: i64 = 3_600;
/// Seconds in a day.
const DAY: i64 = 86_400;

/// Counts the issued tokens.
#[derive(Debug, Default)]
pub(crate) struct QuotaCounter(Locked<DrawnTokens>);

/// The tokens issued in the latest hour and day with a token.
#[derive(Clone, Copy, Debug, Default)]
struct DrawnTokens {
    /// The hour since 1970, and its count.
    hour: (i64, u32),
    /// The day since 1970, and its count.
    day: (i64, u32),
}

/// The result of drawing a token from the quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotaDraw {
    /// Seconds until a token is available, if the quota is used up.
    pub(crate) retry_after_s: Option<i64>,
    /// The value of the quota header.
    pub(crate) header: String,
}

impl QuotaCounter {
    /// Draws a token at `now`, in seconds since 1970.
    pub(crate) fn draw(&self, quota: ClientQuota, now: i64) -> QuotaDraw {
        self.0.with(|drawn| {
            let mut buckets = Vec::new();
            for (name, length, max, count) in [
                ("per_hour", HOUR, quota.per_hour, &mut drawn.hour),
                ("per_day", DAY, quota.per_day, &mut drawn.day),
            ] {
                if count.0 != now / length {
                    *count = (now / length, 0);
                }
                if let Some(max) = max {
                    buckets.push((name, max, length - now % length, count));
                }
            }
            let retry_after_s = buckets
                .iter()
                .filter(|(_, max, _, count)| count.1 >= *max)
                .map(|(_, _, reset, _)| *reset)
                .max();
            if retry_after_s.is_none() {
                for (_, _, _, count) in &mut buckets {
                    count.1 += 1;
                }
            }
            let header: Vec<String> = buckets
                .iter()
                .map(|(name, max, reset, count)| {
                    format!("b={name};q={max};r={};t={reset}", max.saturating_sub(count.1))
                })
                .collect();
            QuotaDraw { retry_after_s, header: header.join(",") }
        })
    }

    /// Resets the counts.
    pub(crate) fn reset(&self) {
        self.0.with(|drawn| *drawn = DrawnTokens::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exhausted_quota_with_the_longest_wait_decides() {
        let counter = QuotaCounter::default();
        let quota = ClientQuota { per_hour: Some(2), per_day: Some(3) };
        let noon = 1_700_000_000 / DAY * DAY + 12 * HOUR;
        let first = counter.draw(quota, noon + 60);
        assert_eq!(first.retry_after_s, None);
        assert_eq!(first.header, "b=per_hour;q=2;r=1;t=3540,b=per_day;q=3;r=2;t=43140");
        counter.draw(quota, noon + 61);
        assert_eq!(counter.draw(quota, noon + 62).retry_after_s, Some(3_538));
        assert_eq!(counter.draw(quota, noon + HOUR).retry_after_s, None);
        assert_eq!(counter.draw(quota, noon + HOUR).retry_after_s, Some(11 * HOUR));
    }
}
