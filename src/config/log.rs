//! `[log]`: which events are written, and how.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;

/// What is logged.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Directives as `RUST_LOG` takes them.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
    /// Pretty on a terminal, else JSON.
    Auto,
}

pub(super) fn read(reader: &mut Reader<'_>) -> LogSettings {
    let level = reader.required("log.level", "a level");
    if EnvFilter::try_new(&level).is_err() {
        reader.fault("log.level", "error | warn | info | debug | trace, or RUST_LOG directives");
    }
    let formats =
        [("json", LogFormat::Json), ("pretty", LogFormat::Pretty), ("auto", LogFormat::Auto)];
    let format = reader.choice("log.format", &formats).unwrap_or(LogFormat::Auto);
    LogSettings { level, format }
}
