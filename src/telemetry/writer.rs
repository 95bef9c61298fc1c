//! Log lines, collected in memory and written by a separate thread.
//!
//! A request only appends to a buffer. The thread wakes once for all lines of a few milliseconds.
//! A handover of each line would cost a wake-up and a write, about a third of the whole cost of a
//! sign-up (`docs/decisions/0006-log-writer.md`).

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// The time for which the thread collects lines before it writes them.
const COLLECT: Duration = Duration::from_millis(5);

/// The most bytes that may wait, some 30,000 lines. Further lines are dropped, so that an output
/// that nobody reads neither delays sign-ups nor fills the memory.
const MAX_PENDING: usize = 8 * 1024 * 1024;

/// The bytes that minor events may fill. The rest is kept for sign-ups, warnings and errors, which a
/// flood of requests must not push out.
const MAX_MINOR: usize = MAX_PENDING / 2;

/// The longest wait for the last lines. An output that nobody reads must not keep the process from
/// ending.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The end of the names of events that are dropped first.
const MINOR: &str = ".minor";

/// The lines that this process dropped, as a metric. A process has one log.
pub(super) static DROPPED: LazyLock<Counter> = LazyLock::new(Counter::default);

/// The buffer that lines are appended to. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LogBuffer(Arc<SharedBuffer>);

#[derive(Debug, Default)]
struct SharedBuffer {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    dropped: u64,
    closed: bool,
}

/// The writer thread. Dropping it writes the remaining lines, within [`LAST_LINES`].
#[derive(Debug)]
pub(super) struct LogThread {
    lines: LogBuffer,
    /// Disconnected once the thread has ended.
    ended: Receiver<()>,
}

impl SharedBuffer {
    /// Waits for lines and takes all of them. Returns `None` once the buffer is closed and empty.
    fn next(&self, spare: Vec<u8>) -> Option<(Vec<u8>, u64)> {
        let mut pending = self.pending.lock();
        let empty = |pending: &mut Pending| pending.bytes.is_empty() && !pending.closed;
        self.changed.wait_while(&mut pending, empty);
        if pending.bytes.is_empty() {
            return None;
        }
        let open = |pending: &mut Pending| !pending.closed;
        self.changed.wait_while_for(&mut pending, open, COLLECT);
        let bytes = std::mem::replace(&mut pending.bytes, spare);
        Some((bytes, std::mem::take(&mut pending.dropped)))
    }

    /// Counts the lines of a batch that the output did not take whole, and those that were dropped before
    /// it.
    fn rejected(&self, rest: &[u8], dropped: u64) {
        let lines = rest.iter().map(|byte| u64::from(*byte == b'\n')).sum();
        DROPPED.inc_by(lines);
        self.pending.lock().dropped += lines + dropped;
    }
}

impl LogBuffer {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn write_to(self, mut output: impl Write + Send + 'static) -> io::Result<LogThread> {
        let shared = Arc::clone(&self.0);
        let (running, ended) = mpsc::channel();
        let work = move || {
            let _running = running;
            let mut spare = Vec::new();
            let mut is_torn = false;
            while let Some((mut bytes, dropped)) = shared.next(spare) {
                // Ends the line that the output took a part of.
                is_torn = is_torn && output.write_all(b"\n").is_err();
                let result = if is_torn { Err(0) } else { write_batch(&mut output, &bytes) };
                match result {
                    Ok(()) if dropped > 0 => tracing::warn!(dropped, "dropped {dropped} lines"),
                    Ok(()) => {}
                    // Reported once the output takes lines again.
                    Err(written) => {
                        let (taken, rest) =
                            bytes.split_at_checked(written).unwrap_or((&bytes, &[]));
                        is_torn = taken.last().map_or(is_torn, |byte| *byte != b'\n');
                        shared.rejected(rest, dropped);
                    }
                }
                bytes.clear();
                spare = bytes;
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(work)?;
        Ok(LogThread { lines: self, ended })
    }
}

/// Writes a batch of lines. Returns the number of bytes that the output took before an error.
fn write_batch(output: &mut impl Write, batch: &[u8]) -> Result<(), usize> {
    let mut rest = batch;
    let written = |rest: &[u8]| batch.len() - rest.len();
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(taken @ 1..) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return Err(written(rest)),
        }
    }
    output.flush().map_err(|_| batch.len())
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.lines.0.pending.lock().closed = true;
        self.lines.0.changed.notify_one();
        let _disconnected = self.ended.recv_timeout(LAST_LINES);
    }
}

/// Appends one line, up to a number of pending bytes.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    shared: &'a SharedBuffer,
    most: usize,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut pending = self.shared.pending.lock();
        if pending.bytes.len() + line.len() > self.most {
            pending.dropped += 1;
            DROPPED.inc();
            return Ok(line.len());
        }
        let first = pending.bytes.is_empty();
        pending.bytes.extend_from_slice(line);
        drop(pending);
        if first {
            self.shared.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { shared: &self.0, most: MAX_PENDING }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        let most = if event.name().ends_with(MINOR) { MAX_MINOR } else { MAX_PENDING };
        LineWriter { shared: &self.0, most }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::{ioctl_fionbio, ioctl_fionread};

    use super::super::patient_output::PatientOutput;
    use super::*;

    /// An output that forwards each write after it was allowed to.
    struct Output(Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap();
            self.1.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_and_in_batches_and_the_last_on_drop() {
        let (allow_tx, allow_rx) = mpsc::channel();
        let (written_tx, written_rx) = mpsc::channel();
        let lines = LogBuffer::default();
        let thread = lines.clone().write_to(Output(allow_rx, written_tx)).unwrap();
        lines.make_writer().write_all(b"1\n").unwrap();
        // The thread holds the first batch until it may write it. These lines collect behind it.
        while !lines.0.pending.lock().bytes.is_empty() {
            thread::yield_now();
        }
        for line in ["2\n", "3\n", "4\n"] {
            lines.make_writer().write_all(line.as_bytes()).unwrap();
        }
        allow_tx.send(()).unwrap();
        allow_tx.send(()).unwrap();
        drop(thread);
        assert_eq!(written_rx.iter().collect::<Vec<_>>(), [b"1\n".to_vec(), b"2\n3\n4\n".to_vec()]);
    }

    #[test]
    fn lines_for_an_output_that_nobody_reads_are_dropped_and_counted() {
        let (allow_tx, allow_rx) = mpsc::channel();
        let (written_tx, written_rx) = mpsc::channel();
        let lines = LogBuffer::default();
        let thread = lines.clone().write_to(Output(allow_rx, written_tx)).unwrap();
        lines.make_writer().write_all(b"first\n").unwrap();
        while !lines.0.pending.lock().bytes.is_empty() {
            thread::yield_now();
        }
        let mut large = vec![b'x'; MAX_PENDING - 1];
        large.push(b'\n');
        for _ in 0..3 {
            lines.make_writer().write_all(&large).unwrap();
        }
        assert_eq!(lines.0.pending.lock().dropped, 2);
        assert!(DROPPED.get() >= 2);
        allow_tx.send(()).unwrap();
        allow_tx.send(()).unwrap();
        drop(thread);
        assert_eq!(written_rx.iter().last(), Some(large));
    }

    /// An output with room for some bytes, and an error after them.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock();
            let taken = bytes.len().min(disk.1 - disk.0.len());
            disk.0.extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_is_joined_to_one_that_a_full_disk_took_a_part_of() {
        let (lines, disk) = (LogBuffer::default(), Disk::default());
        disk.0.lock().1 = 9;
        let thread = lines.clone().write_to(disk.clone()).unwrap();
        lines.make_writer().write_all(b"first\nsecond\n").unwrap();
        while lines.0.pending.lock().dropped == 0 {
            thread::yield_now();
        }
        assert_eq!(lines.0.pending.lock().dropped, 1, "the second");
        disk.0.lock().1 = 100;
        lines.make_writer().write_all(b"third\n").unwrap();
        drop(thread);
        assert_eq!(String::from_utf8_lossy(&disk.0.lock().0), "first\nsec\nthird\n");
    }

    /// Such as one that a parent process has made so for itself.
    #[test]
    fn no_line_is_lost_on_a_non_blocking_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        let lines = LogBuffer::default();
        let thread = lines.clone().write_to(PatientOutput::new(writer)).unwrap();
        let batch = format!("{}\n", "x".repeat(1_023)).repeat(1_024);
        lines.make_writer().write_all(batch.as_bytes()).unwrap();
        // A pipe of any size is full soon: none takes the whole batch.
        while ioctl_fionread(&reader).unwrap() == 0 {
            thread::yield_now();
        }
        let reading = thread::spawn(move || io::read_to_string(reader).unwrap());
        drop(thread);
        assert!(reading.join().unwrap() == batch);
        assert_eq!(lines.0.pending.lock().dropped, 0);
    }

    #[test]
    fn minor_events_leave_room_for_the_others() {
        let lines = LogBuffer::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
        let long = "x".repeat(64 * 1024);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1_000 {
                tracing::info!(name: "request.minor", "{long}");
            }
            tracing::info!(name: "request", "a sign-up");
        });
        let pending = lines.0.pending.lock();
        assert!(pending.dropped > 800 && pending.bytes.len() < MAX_MINOR + 1_000);
        assert!(String::from_utf8_lossy(&pending.bytes).contains("a sign-up"));
    }
}
