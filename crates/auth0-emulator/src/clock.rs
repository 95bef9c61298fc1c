//! The emulator's own clock: the system clock plus an offset.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

/// RFC 3339 in UTC with milliseconds, the tenant's timestamp format.
const MILLISECONDS: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The fixed-length form of RFC 9110, 5.6.7.
const HTTP_DATE: StaticFormatDescription = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// The clock of one emulator.
#[derive(Debug, Default)]
pub(crate) struct TenantClock {
    /// Offset from the system clock; negative if this clock is behind.
    offset_ms: AtomicI64,
}

impl TenantClock {
    /// The current time on this clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        let offset = self.offset_ms.load(Ordering::Relaxed);
        Self::machine()
            .checked_add(time::Duration::milliseconds(offset))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The current time on the system clock.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system clock")]
    pub(crate) fn machine() -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// The current time in whole seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> i64 {
        self.now().unix_timestamp()
    }

    /// The current time in seconds since 1970, with its fraction.
    pub(crate) fn unix_seconds_f64(&self) -> f64 {
        (self.now() - OffsetDateTime::UNIX_EPOCH).as_seconds_f64()
    }

    /// The current time in the tenant's timestamp format.
    pub(crate) fn timestamp(&self) -> String {
        // Formatting fails only for years outside four digits.
        self.now().format(&MILLISECONDS).unwrap_or_default()
    }

    /// The current time in the format of a `Date` header.
    pub(crate) fn http_date(&self) -> String {
        self.now().format(&HTTP_DATE).unwrap_or_default()
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.shift_ms(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Moves the clock by a number of milliseconds, forward or back.
    pub(crate) fn shift_ms(&self, by: i64) {
        self.offset_ms.update(Ordering::Relaxed, Ordering::Relaxed, |now| now.saturating_add(by));
    }

    /// Sets the clock back to the system time.
    pub(crate) fn reset(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_the_clock_advances_its_seconds() {
        let clock = TenantClock::default();
        let before = clock.unix_seconds();
        clock.advance(Duration::from_hours(1));
        assert!((3600..=3601).contains(&(clock.unix_seconds() - before)));
        clock.reset();
        assert!((0..=1).contains(&(clock.unix_seconds() - before)));
    }

    #[test]
    fn a_timestamp_has_milliseconds_and_a_z() {
        let text = TenantClock::default().timestamp();
        assert_eq!(text.len(), "2023-05-12T16:00:11.236Z".len());
        assert!(text.ends_with('Z') && text.as_bytes()[19] == b'.');
    }
}
