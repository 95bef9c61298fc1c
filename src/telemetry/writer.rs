//! Log lines gathered in memory and written by a thread of their own.
//!
//! A request only appends to a buffer. The thread wakes once for all lines of a few milliseconds,
//! where handing over line by line costs a wake-up and a write each: about a third of what a
//! sign-up costs in all (`docs/decisions/0006-log-writer.md`).

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long the thread gathers lines before it writes them.
const GATHER: Duration = Duration::from_millis(5);

/// The most bytes that wait, some 30,000 lines; further lines are lost, so that an output that
/// nobody reads neither holds sign-ups up nor fills the memory.
const MAX_WAITING: usize = 8 * 1024 * 1024;

/// Where lines are appended. Clones share the buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    lost: u64,
    closed: bool,
}

/// Writes what still waits when it is dropped.
#[derive(Debug)]
pub(super) struct WriterThread {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and takes all there are; `None` at the end.
    fn next(&self, spare: Vec<u8>) -> Option<(Vec<u8>, u64)> {
        let waiting = self.lock();
        let nothing = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.closed;
        let waiting =
            self.changed.wait_while(waiting, nothing).unwrap_or_else(PoisonError::into_inner);
        if waiting.bytes.is_empty() {
            return None;
        }
        let open = |waiting: &mut Waiting| !waiting.closed;
        let gathered = self.changed.wait_timeout_while(waiting, GATHER, open);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::replace(&mut waiting.bytes, spare);
        Some((bytes, std::mem::take(&mut waiting.lost)))
    }
}

impl Lines {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn write_to(
        self,
        mut output: impl Write + Send + 'static,
    ) -> io::Result<WriterThread> {
        let shared = Arc::clone(&self.0);
        let work = move || {
            let mut spare = Vec::new();
            while let Some((mut bytes, lost)) = shared.next(spare) {
                if lost > 0 {
                    let line =
                        format!("{{\"level\":\"WARN\",\"message\":\"lost {lost} lines\"}}\n");
                    bytes.extend_from_slice(line.as_bytes());
                }
                // There is nowhere left to tell of an output that fails.
                drop(output.write_all(&bytes).and_then(|()| output.flush()));
                bytes.clear();
                spare = bytes;
            }
        };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(work)?;
        Ok(WriterThread { lines: self, thread: Some(thread) })
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.lines.0.lock().closed = true;
        self.lines.0.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.bytes.len() + line.len() > MAX_WAITING {
            waiting.lost += 1;
            return Ok(line.len());
        }
        let first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if first {
            self.0.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands on what it is given, each time it is let.
    struct Output(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

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
    fn lines_are_written_in_order_and_together_and_the_last_at_the_end() {
        let (go, let_go) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let mut lines = Lines::default();
        let thread = lines.clone().write_to(Output(let_go, tell)).unwrap();
        lines.write_all(b"1\n").unwrap();
        // The thread holds the first batch until it is let; all of these gather behind it.
        while !lines.0.lock().bytes.is_empty() {
            thread::yield_now();
        }
        for line in ["2\n", "3\n", "4\n"] {
            lines.write_all(line.as_bytes()).unwrap();
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        drop(thread);
        assert_eq!(told.iter().collect::<Vec<_>>(), [b"1\n".to_vec(), b"2\n3\n4\n".to_vec()]);
    }

    #[test]
    fn an_output_that_nobody_reads_loses_lines_and_says_how_many() {
        let (go, let_go) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let mut lines = Lines::default();
        let thread = lines.clone().write_to(Output(let_go, tell)).unwrap();
        lines.write_all(b"first\n").unwrap();
        while !lines.0.lock().bytes.is_empty() {
            thread::yield_now();
        }
        let large = vec![b'x'; MAX_WAITING];
        for _ in 0..3 {
            lines.write_all(&large).unwrap();
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        drop(thread);
        let last = told.iter().last().unwrap();
        assert!(last.ends_with(b"{\"level\":\"WARN\",\"message\":\"lost 2 lines\"}\n"));
    }
}
