//! An output that is waited for where it is not blocking.
//!
//! A program that shares its pipe or terminal with this one may have made it non-blocking (`O_NONBLOCK` is a
//! property of the open file, not of a process). A write then fails as soon as the pipe is full.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// An output that is waited for until it takes bytes.
#[derive(Debug)]
pub struct PatientOutput<W> {
    output: W,
    /// The longest of each wait.
    limit: Option<Timespec>,
}

impl<W: AsFd> PatientOutput<W> {
    /// Waits for any time.
    pub const fn new(output: W) -> Self {
        Self { output, limit: None }
    }

    /// Waits for `limit` at most.
    pub const fn within(output: W, limit: Timespec) -> Self {
        Self { output, limit: Some(limit) }
    }

    /// Waits until the output takes bytes, or fails, which the next write reports.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] at the limit.
    pub fn ready(&self) -> io::Result<()> {
        let mut output = [PollFd::new(&self.output, PollFlags::OUT)];
        match retry_on_intr(|| poll(&mut output, self.limit.as_ref()))? {
            0 => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl<W: Write + AsFd> Write for PatientOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.output.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready()?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.output.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready()?,
                flushed => return flushed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::io::ioctl_fionbio;

    use super::*;

    #[test]
    fn a_non_blocking_pipe_gets_everything() {
        let (reader, writer) = io::pipe().unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        let reading = thread::spawn(move || io::read_to_string(reader).unwrap());
        let sent = "x".repeat(1024 * 1024);
        let mut output = PatientOutput::new(writer);
        output.write_all(sent.as_bytes()).unwrap();
        output.flush().unwrap();
        drop(output);
        assert!(reading.join().unwrap() == sent);
    }

    #[test]
    fn a_limit_ends_the_wait_for_a_pipe_that_nobody_reads() {
        let (_reader, writer) = io::pipe().unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        let limit = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let mut output = PatientOutput::within(writer, limit);
        let error = output.write_all(&vec![0; 1024 * 1024]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
