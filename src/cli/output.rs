//! What a command says on stdout.

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use time::OffsetDateTime;

/// Writes at once. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}

/// A time since the Unix epoch as RFC 3339 has it, in UTC and of one width.
pub(super) fn utc(at: Duration) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return "out of range".to_owned();
    };
    let (hour, minute, second) = time.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{:03}Z", time.date(), at.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_of_one_width() {
        let time = utc(Duration::from_millis(1_790_000_000_007));
        assert_eq!(time, "2026-09-21T14:13:20.007Z");
        assert_eq!(utc(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(Duration::MAX), "out of range");
    }
}
