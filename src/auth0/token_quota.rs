//! What an answer of `/oauth/token` tells of the application's token quota.
//!
//! `Auth0-Client-Quota-Limit: b=per_hour;q=10;r=7;t=3540,b=per_day;q=50;r=47;t=43200` names bucket,
//! quota, what remains and the seconds until it begins anew. All replicas draw on the same quota.
//! Source: Auth0's documents on fine-grained token quotas; `docs/auth0.md`.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::telemetry::{Metrics, QuotaPeriod};

/// The header.
const HEADER: &str = "auth0-client-quota-limit";

/// The most buckets that are read, and the most members of one: Auth0 sends two of four.
const MOST: usize = 8;

/// The longest time to a reset that is believed: a day has no more.
const LONGEST: Duration = Duration::from_hours(24);

/// Time is told in whole seconds, so that what begins anew does so up to this much later.
const ROUNDING: Duration = Duration::from_secs(1);

/// The quota as one answer tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TokenQuota {
    per_hour: Option<Bucket>,
    per_day: Option<Bucket>,
}

/// The tokens of an hour or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    /// How many there are in all.
    size: u32,
    /// How many are left.
    left: u32,
    /// How long until all of them are there again.
    resets_in: Duration,
}

/// How much there is left of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// A tenth or more.
    Enough,
    /// Less.
    Few,
    /// Nothing.
    Spent,
}

/// When the token in use is refreshed, after it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// Then.
    After(Duration),
    /// Then, although the quota begins anew only after the token's end.
    InVain(Duration),
}

impl TokenQuota {
    /// What these headers tell. What cannot be read is as good as absent.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut quota = Self::default();
        let lines = headers.get_all(HEADER).iter().filter_map(|line| line.to_str().ok());
        for bucket in lines.flat_map(|line| line.split(',')).take(MOST) {
            match Bucket::parse(bucket) {
                Some((QuotaPeriod::Hour, bucket)) => quota.per_hour = Some(bucket),
                Some((QuotaPeriod::Day, bucket)) => quota.per_day = Some(bucket),
                None => {}
            }
        }
        quota
    }

    /// How long no token is given, when some bucket has none left: until the last of those begins
    /// anew.
    pub(super) fn spent_for(&self) -> Option<Duration> {
        let spent = self.buckets().filter(|(_, bucket)| bucket.level() == Level::Spent);
        spent.map(|(_, bucket)| bucket.resets_in).max()
    }

    /// When a token is refreshed that lives for `life` and for which this was told `told_at` after
    /// it was asked for: at `early`, unless nothing would be given then.
    pub(super) fn refresh(&self, early: Duration, life: Duration, told_at: Duration) -> Refresh {
        match self.spent_for().map(|wait| told_at + wait + ROUNDING) {
            None => Refresh::After(early),
            // A tenth of the life is left to ask again, should that go wrong.
            Some(reset) if reset <= life.mul_f64(0.9) => Refresh::After(early.max(reset)),
            Some(_) => Refresh::InVain(early),
        }
    }

    fn buckets(&self) -> impl Iterator<Item = (QuotaPeriod, Bucket)> {
        let each = [(QuotaPeriod::Hour, self.per_hour), (QuotaPeriod::Day, self.per_day)];
        each.into_iter().filter_map(|(period, bucket)| Some((period, bucket?)))
    }
}

impl Bucket {
    /// One bucket of the header. The name may stand without its `b=`, as an SDK of Auth0 has it.
    fn parse(text: &str) -> Option<(QuotaPeriod, Self)> {
        let (mut period, mut size, mut left, mut resets_in) = (None, None, None, None);
        for member in text.split(';').take(MOST) {
            let member = member.trim();
            let (name, value) = member.split_once('=').unwrap_or(("b", member));
            match name {
                "b" => period = QuotaPeriod::named(value),
                "q" => size = value.parse().ok(),
                "r" => left = value.parse().ok(),
                "t" => resets_in = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
        let (size, left, resets_in) = (size?, left?, resets_in?);
        Some((period?, Self { size, left, resets_in: LONGEST.min(resets_in) }))
    }

    fn level(self) -> Level {
        match self.left {
            0 => Level::Spent,
            left if left < self.size.div_ceil(10) => Level::Few,
            _ => Level::Enough,
        }
    }
}

/// Shows the quota in the metrics, and warns when there is less of it than there was.
#[derive(Debug)]
pub(super) struct QuotaWatch {
    metrics: Arc<Metrics>,
    per_hour: Level,
    per_day: Level,
}

impl QuotaWatch {
    /// Nothing is known.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, per_hour: Level::Enough, per_day: Level::Enough }
    }

    /// Takes note of what an answer told.
    pub(super) fn observe(&mut self, quota: &TokenQuota) {
        for (period, bucket) in quota.buckets() {
            self.metrics.token_quota(period, bucket.left);
            let level = match period {
                QuotaPeriod::Hour => &mut self.per_hour,
                QuotaPeriod::Day => &mut self.per_day,
            };
            let before = std::mem::replace(level, bucket.level());
            if *level > before {
                let Bucket { size, left, resets_in } = bucket;
                let (name, resets_in_s) = (period.name(), resets_in.as_secs());
                tracing::warn!(
                    bucket = name,
                    left,
                    quota = size,
                    resets_in_s,
                    "the application's token quota {name} has {left} of {size} left, and begins \
                     anew in {resets_in_s} s"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the tables have it, beside none")]
    const fn bucket(size: u32, left: u32, resets_in: u64) -> Option<Bucket> {
        Some(Bucket { size, left, resets_in: Duration::from_secs(resets_in) })
    }

    fn quota(lines: &[&'static [u8]]) -> TokenQuota {
        let line = |line: &&'static [u8]| HeaderValue::from_bytes(line).unwrap();
        let headers = lines.iter().map(|each| (HEADER.parse().unwrap(), line(each)));
        TokenQuota::of(&headers.collect())
    }

    #[test]
    fn the_header_is_read_as_far_as_it_can_be() {
        let both = (bucket(10, 7, 3540), bucket(50, 47, 43200));
        let cases: [(&[&'static [u8]], _); 16] = [
            (&[b"b=per_hour;q=10;r=7;t=3540,b=per_day;q=50;r=47;t=43200"], both),
            (&[b" b=per_day; q=50 ;r=47;t=43200 , b=per_hour;t=3540;r=7;q=10;x=1"], both),
            (&[b"b=per_hour;q=10;r=7;t=3540", b"b=per_day;q=50;r=47;t=43200"], both),
            (&[b"per_hour;q=10;r=7;t=3540,per_day;q=50;r=47;t=43200"], both),
            (&[b"b=per_minute;q=1;r=0;t=9,b=per_day;q=50;r=47;t=43200"], (None, both.1)),
            (&[b"b=per_hour;q=10;r=-1;t=3540,b=per_day;q=50;r=47;t=43200"], (None, both.1)),
            (&[b"b=per_hour;q=10;r=7,b=per_day;q=50;r=47;t=43200"], (None, both.1)),
            (&[b"b=per_hour;q=10;r=0;t=18446744073709551615"], (bucket(10, 0, 86_400), None)),
            (&[b"b=per_hour;q=10;r=0;t=18446744073709551616"], (None, None)),
            (&[b"b=per_hour;q=4294967296;r=0;t=1"], (None, None)),
            (&[b"b=per_hour;q=10;r=7;t=\xff"], (None, None)),
            (&[b"x,x,x,x,x,x,x,x,b=per_hour;q=10;r=7;t=3540"], (None, None)),
            (&[b"b=per_hour;;;;;;;;;q=10;r=7;t=3540"], (None, None)),
            (&[b",;=,b=,=;=,;;q"], (None, None)),
            (&[b""], (None, None)),
            (&[], (None, None)),
        ];
        for (lines, (per_hour, per_day)) in cases {
            assert_eq!(quota(lines), TokenQuota { per_hour, per_day }, "{lines:?}");
        }
    }

    #[test]
    fn nothing_is_given_until_the_last_empty_bucket_begins_anew() {
        let cases = [
            (bucket(10, 1, 60), bucket(50, 2, 600), None),
            (bucket(10, 0, 60), bucket(50, 2, 600), Some(60)),
            (bucket(10, 0, 60), bucket(50, 0, 600), Some(600)),
            (bucket(10, 0, 60), None, Some(60)),
            (None, None, None),
        ];
        for (per_hour, per_day, expected) in cases {
            let spent_for = TokenQuota { per_hour, per_day }.spent_for();
            assert_eq!(spent_for, expected.map(Duration::from_secs), "{per_hour:?} {per_day:?}");
        }
    }

    #[test]
    fn a_refresh_waits_for_the_quota_where_the_token_lasts_until_then() {
        let seconds = Duration::from_secs;
        let cases = [
            (bucket(10, 1, 90), Refresh::After(seconds(80))),
            (bucket(10, 0, 77), Refresh::After(seconds(80))),
            (bucket(10, 0, 87), Refresh::After(seconds(90))),
            // Too late to ask again, should it go wrong.
            (bucket(10, 0, 88), Refresh::InVain(seconds(80))),
            (bucket(10, 0, 98), Refresh::InVain(seconds(80))),
            (None, Refresh::After(seconds(80))),
        ];
        for (per_hour, expected) in cases {
            let quota = TokenQuota { per_hour, per_day: None };
            let refresh = quota.refresh(seconds(80), seconds(100), seconds(2));
            assert_eq!(refresh, expected, "{per_hour:?}");
        }
    }

    #[test]
    fn less_than_a_tenth_is_few() {
        let cases = [
            ((10, 1), Level::Enough),
            ((11, 1), Level::Few),
            ((50, 5), Level::Enough),
            ((50, 4), Level::Few),
            ((50, 0), Level::Spent),
            ((1, 1), Level::Enough),
            ((0, 0), Level::Spent),
        ];
        for ((size, left), expected) in cases {
            assert_eq!(bucket(size, left, 1).unwrap().level(), expected, "{left} of {size}");
        }
    }
}
