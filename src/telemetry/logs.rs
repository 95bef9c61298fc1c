//! The log: JSON a line for machines, short lines for people, written off the request path.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, LogSettings};

/// Keeps the writer alive; lines still queued are written when it is dropped.
#[must_use = "lines are lost once it is dropped"]
#[derive(Debug)]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Sets the process's log up. A second call changes nothing.
///
/// A full queue (128,000 lines) loses lines rather than hold sign-ups up.
pub fn init(settings: &LogSettings) -> LogGuard {
    let (writer, worker) = NonBlockingBuilder::default().finish(std::io::stdout());
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stdout().is_terminal(),
    };
    install(json, filter, writer);
    std::panic::set_hook(Box::new(|panic| {
        // Where, and not what: the message may quote anything.
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a task panicked at {location}");
    }));
    LogGuard { _worker: worker }
}

fn install(json: bool, filter: EnvFilter, writer: NonBlocking) {
    let builder = fmt().with_env_filter(filter).with_writer(writer);
    let installed = if json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        builder.compact().with_ansi(std::io::stdout().is_terminal()).try_init()
    };
    if installed.is_err() {
        tracing::debug!("the log was set up before");
    }
}
