//! The log: JSON lines, or short lines on a terminal, written off the request path.

use std::io::{self, IsTerminal as _};

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::json::{Json, JsonFields};
use super::writer::{LogBuffer, LogThread};
use crate::config::{LogFormat, LogSettings};

/// Keeps the writer thread alive. Dropping it writes the remaining lines.
#[must_use = "lines are lost after it is dropped"]
#[derive(Debug)]
pub struct LogGuard {
    _thread: LogThread,
}

/// Sets up the log of the process. A second call changes nothing.
///
/// # Errors
/// If the writer thread cannot be started.
pub fn init(settings: &LogSettings) -> io::Result<LogGuard> {
    let lines = LogBuffer::default();
    let thread = lines.clone().write_to(io::stdout())?;
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !io::stdout().is_terminal(),
    };
    install(json, filter, lines);
    std::panic::set_hook(Box::new(|panic| {
        // Logs the location only: the message may quote anything.
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a task panicked at {location}");
    }));
    Ok(LogGuard { _thread: thread })
}

fn install(json: bool, filter: EnvFilter, lines: LogBuffer) {
    let builder = fmt().with_env_filter(filter).with_writer(lines);
    let pass = filter_fn(is_own);
    let installed = if json {
        builder.fmt_fields(JsonFields).event_format(Json).finish().with(pass).try_init()
    } else {
        builder.compact().with_ansi(io::stdout().is_terminal()).finish().with(pass).try_init()
    };
    if installed.is_err() {
        tracing::debug!("the log is already set up");
    }
}

/// Returns whether an event or a span is this crate's own. Those of other crates are never logged, at
/// any level: a library writes whatever it was given, such as a URL with its password or a path with
/// an e-mail address in its query.
fn is_own(metadata: &Metadata<'_>) -> bool {
    let rest = metadata.target().strip_prefix("auth0_signup");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
