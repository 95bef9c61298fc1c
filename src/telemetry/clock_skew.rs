//! The skew of this machine's clock against the clocks that its decisions depend on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use time::Duration as SignedDuration;

use super::registration::{LabelPairs, registered_seconds};

/// The least change before a skew counts as less severe again. `Date` has a resolution of a second.
const HYSTERESIS: Duration = Duration::from_secs(1);

/// Another machine, whose clock is compared with this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockSource {
    /// The tenant, by the `Date` of its responses.
    Tenant,
    /// The ledger's database server.
    Ledger,
}

/// Reports skews as a metric, in the log and to the readiness probe. Clones share them.
#[derive(Debug, Clone)]
pub struct ClockSkew {
    seconds: Family<LabelPairs<1>, Gauge<f64, AtomicU64>>,
    /// The severity of each source's skew, in the order of [`ClockSource`].
    levels: Arc<Mutex<[SkewLevel; 2]>>,
}

/// The severity of a skew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum SkewLevel {
    #[default]
    Normal,
    Notable,
    Severe,
}

impl ClockSource {
    /// The label of metrics, and the name in the log.
    const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Ledger => "ledger",
        }
    }
}

impl SkewLevel {
    /// The severity after a skew of this size.
    fn next(self, size: Duration) -> Self {
        let reaches = |level, least: Duration| {
            size >= if self >= level { least.saturating_sub(HYSTERESIS) } else { least }
        };
        if reaches(Self::Severe, ClockSkew::SEVERE) {
            Self::Severe
        } else if reaches(Self::Notable, ClockSkew::NOTABLE) {
            Self::Notable
        } else {
            Self::Normal
        }
    }
}

impl ClockSkew {
    /// The least skew that is logged.
    pub const NOTABLE: Duration = Duration::from_secs(2);

    /// The least skew that degrades the service.
    pub const SEVERE: Duration = Duration::from_secs(30);

    pub(super) fn register(registry: &mut Registry) -> Self {
        let seconds = registered_seconds(
            registry,
            "clock_skew",
            "Time by which this machine's clock is ahead of another; negative if it is behind",
            Family::<LabelPairs<1>, Gauge<f64, AtomicU64>>::default(),
        );
        Self { seconds, levels: Arc::default() }
    }

    /// Records the skew against a source: positive if this machine's clock is ahead. Logs it when it
    /// becomes notable or severe, and when it is over.
    pub fn observe(&self, source: ClockSource, skew: SignedDuration) {
        let labels = [("source", source.name())];
        self.seconds.get_or_create_owned(&labels).set(skew.as_seconds_f64());
        let (before, after) = {
            let mut levels = self.levels.lock();
            let [tenant, ledger] = &mut *levels;
            let level = match source {
                ClockSource::Tenant => tenant,
                ClockSource::Ledger => ledger,
            };
            let before = *level;
            *level = before.next(skew.unsigned_abs());
            (before, *level)
        };
        if before == after {
            return;
        }
        let (source, skew_s) = (source.name(), skew.as_seconds_f64());
        if after == SkewLevel::Normal {
            tracing::info!(source, skew_s, "this machine's clock agrees with the {source}'s again");
        } else {
            tracing::warn!(
                source,
                skew_s,
                "this machine's clock differs from the {source}'s by {skew_s:.1} s: is it synchronised?"
            );
        }
    }

    /// Returns whether the skew against any source is 30 s or more.
    pub fn is_severe(&self) -> bool {
        let levels = self.levels.lock();
        levels.contains(&SkewLevel::Severe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_near_a_limit_does_not_change_back_and_forth() {
        let mut level = SkewLevel::Normal;
        for (ms, expected) in [
            (1_999, SkewLevel::Normal),
            (2_000, SkewLevel::Notable),
            (1_000, SkewLevel::Notable),
            (999, SkewLevel::Normal),
            (30_000, SkewLevel::Severe),
            (29_000, SkewLevel::Severe),
            (28_999, SkewLevel::Notable),
            (29_999, SkewLevel::Notable),
            (0, SkewLevel::Normal),
        ] {
            level = level.next(Duration::from_millis(ms));
            assert_eq!(level, expected, "{ms}");
        }
    }

    #[test]
    fn each_source_has_its_own_skew() {
        let skew = ClockSkew::register(&mut Registry::default());
        skew.observe(ClockSource::Tenant, SignedDuration::seconds(-31));
        skew.observe(ClockSource::Ledger, SignedDuration::ZERO);
        assert!(skew.is_severe());
        skew.observe(ClockSource::Tenant, SignedDuration::ZERO);
        assert!(!skew.is_severe());
    }
}
