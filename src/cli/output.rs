//! Output on stdout and stderr.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;
use rustix::event::Timespec;

use crate::telemetry::PatientOutput;

/// The most bytes that a pipe takes without a wait once it takes any (`PIPE_BUF` of `pipe(7)`).
const PIPE_BUF: usize = 4096;

/// The longest wait for a stderr that takes nothing.
const STDERR_LIMIT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Formats a number of attempts: "1 attempt", "2 attempts".
pub(super) fn format_attempts(attempts: usize) -> String {
    format!("{attempts} attempt{}", if attempts == 1 { "" } else { "s" })
}

/// Writes to stdout and flushes it. A reader that closes the pipe early (`| head`) is not an error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = PatientOutput::new(io::stdout().lock());
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}

/// Writes a line for people to stderr: an error, or a remark that programs which read stdout do not
/// need. One that cannot be written is left out: it neither changes the exit status nor keeps the
/// process from ending.
pub(super) fn print_to_stderr(text: &str) {
    let text = format!("{text}\n");
    let mut stderr = PatientOutput::within(io::stderr().lock(), STDERR_LIMIT);
    for part in text.as_bytes().chunks(PIPE_BUF) {
        if stderr.ready().and_then(|()| stderr.write_all(part)).is_err() {
            return;
        }
    }
}
