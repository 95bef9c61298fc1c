//! Output on stdout.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;

/// Writes to stdout and flushes it. A reader that closes the pipe early (`| head`) is not an error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}
