//! How many tokens the application has drawn in this hour and this day of UTC.

use crate::locked::Locked;
use crate::rate::ClientQuota;

/// Seconds in an hour.
const HOUR: i64 = 3_600;
/// Seconds in a day.
const DAY: i64 = 86_400;

/// Counts the tokens drawn.
#[derive(Debug)]
pub(crate) struct QuotaCounter(Locked<DrawnTokens>);

/// The tokens drawn in the hour and day that last drew one.
#[derive(Clone, Copy, Debug, Default)]
struct DrawnTokens {
    /// The hour since 1970 and how many it drew.
    hour: (i64, u32),
    /// The day since 1970 and how many it drew.
    day: (i64, u32),
}

/// What the quota said to one draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotaDraw {
    /// Seconds until there are tokens again, if there are none.
    pub(crate) retry_after_s: Option<i64>,
    /// The value of the quota header.
    pub(crate) header: String,
}

impl Default for QuotaCounter {
    fn default() -> Self {
        Self(Locked::new(DrawnTokens::default()))
    }
}

impl QuotaCounter {
    /// Draws a token at `now`, in seconds since 1970.
    pub(crate) fn draw(&self, quota: ClientQuota, now: i64) -> QuotaDraw {
        self.0.with(|drawn| {
            let mut buckets = Vec::new();
            for (name, length, most, count) in [
                ("per_hour", HOUR, quota.per_hour, &mut drawn.hour),
                ("per_day", DAY, quota.per_day, &mut drawn.day),
            ] {
                if count.0 != now / length {
                    *count = (now / length, 0);
                }
                if let Some(most) = most {
                    buckets.push((name, most, length - now % length, count));
                }
            }
            let retry_after_s = buckets
                .iter()
                .filter(|(_, most, _, count)| count.1 >= *most)
                .map(|(_, _, reset, _)| *reset)
                .max();
            if retry_after_s.is_none() {
                for (_, _, _, count) in &mut buckets {
                    count.1 += 1;
                }
            }
            let header: Vec<String> = buckets
                .iter()
                .map(|(name, most, reset, count)| {
                    format!("b={name};q={most};r={};t={reset}", most.saturating_sub(count.1))
                })
                .collect();
            QuotaDraw { retry_after_s, header: header.join(",") }
        })
    }

    /// Forgets what was drawn.
    pub(crate) fn reset(&self) {
        self.0.with(|drawn| *drawn = DrawnTokens::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_quota_decides_and_the_hour_begins_anew() {
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
