//! The log: JSON lines, or short lines on a terminal, written off the request path.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;
use std::sync::Arc;

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt as subscriber_fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::json::{Json, JsonFields};
use super::patient_output::PatientOutput;
use super::writer::{LogBuffer, LogThread};
use crate::config::{LogFormat, LogSettings};

/// Keeps the writer thread alive. Dropping it writes the remaining lines, for a second at most.
#[must_use = "lines are lost after it is dropped"]
#[derive(Debug)]
pub struct LogGuard {
    _thread: LogThread,
    level: LogLevel,
}

impl LogGuard {
    /// The level of the log, which may change.
    pub fn level(&self) -> LogLevel {
        self.level.clone()
    }
}

/// The level of the log. Clones share it. The default one changes nothing.
#[derive(Clone, Default)]
pub struct LogLevel(Option<Arc<SetFilter>>);

/// Replaces the filter of the log.
type SetFilter = dyn Fn(EnvFilter) + Send + Sync;

impl LogLevel {
    /// Sets the level: directives in the syntax of `RUST_LOG`, which the settings have validated.
    pub fn set(&self, level: &str) {
        if let (Some(set), Ok(filter)) = (&self.0, EnvFilter::try_new(level)) {
            set(filter);
        }
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevel").finish_non_exhaustive()
    }
}

/// Sets up the log of the process. A second call changes nothing.
///
/// # Errors
/// If the writer thread cannot be started.
pub fn init(settings: &LogSettings) -> io::Result<LogGuard> {
    let lines = LogBuffer::default();
    let thread = lines.clone().write_to(PatientOutput::new(io::stdout()))?;
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !io::stdout().is_terminal(),
    };
    let level = install(json, filter, lines);
    std::panic::set_hook(Box::new(|panic| {
        let location = panic_location(panic);
        tracing::error!(location, "a task panicked at {location}");
    }));
    Ok(LogGuard { _thread: thread, level })
}

/// The location of a panic. Its message may quote anything, so it is left out, but for the one of tokio that
/// an operator can act on.
pub fn panic_location(panic: &PanicHookInfo<'_>) -> String {
    let mut location = panic.location().map(ToString::to_string).unwrap_or_default();
    if panic.payload_as_str().is_some_and(|message| message.starts_with("OS can't spawn")) {
        location.push_str(
            ": no thread can be started: raise the limit on processes (ulimit -u, TasksMax, pids)",
        );
    }
    location
}

fn install(json: bool, filter: EnvFilter, lines: LogBuffer) -> LogLevel {
    let builder = subscriber_fmt().with_env_filter(filter).with_writer(lines);
    let pass = filter_fn(is_own);
    let (installed, level) = if json {
        let builder = builder.fmt_fields(JsonFields).event_format(Json).with_filter_reloading();
        let handle = builder.reload_handle();
        (builder.finish().with(pass).try_init(), level(move |filter| handle.reload(filter)))
    } else {
        let no_color = std::env::var_os("NO_COLOR");
        let is_coloured = is_coloured(io::stdout().is_terminal(), no_color.as_deref());
        let builder = builder.compact().with_ansi(is_coloured).with_filter_reloading();
        let handle = builder.reload_handle();
        (builder.finish().with(pass).try_init(), level(move |filter| handle.reload(filter)))
    };
    if installed.is_err() {
        tracing::debug!("the log is already set up");
    }
    level
}

/// Returns whether short lines have colours: on a terminal, unless `NO_COLOR` is set and not empty
/// (<https://no-color.org>).
fn is_coloured(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Wraps the function that replaces the filter. Its errors are ignored: it fails only once the log has
/// ended.
fn level<E>(set: impl Fn(EnvFilter) -> Result<(), E> + Send + Sync + 'static) -> LogLevel {
    LogLevel(Some(Arc::new(move |filter| drop(set(filter)))))
}

/// Returns whether an event or a span is this crate's own. Those of other crates are never logged, at
/// any level: a library writes whatever it was given, such as a URL with its password or a path with
/// an e-mail address in its query.
fn is_own(metadata: &Metadata<'_>) -> bool {
    let rest = metadata.target().strip_prefix("auth0_signup");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_colours_on_a_terminal_without_no_color() {
        for (is_terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (true, Some("0"), false),
            (false, None, false),
            (false, Some(""), false),
        ] {
            let no_color = no_color.map(OsStr::new);
            assert_eq!(is_coloured(is_terminal, no_color), expected, "{is_terminal} {no_color:?}");
        }
    }
}
