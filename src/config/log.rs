//! `[log]`: the level and the format of the log.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;

/// The level and the format of the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Directives in the syntax of `RUST_LOG`.
    pub level: String,
    /// The format of a line.
    pub format: LogFormat,
}

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
    /// Pretty on a terminal, JSON otherwise.
    Auto,
}

pub(super) fn read(reader: &mut Reader<'_>) -> LogSettings {
    let level = reader.required("log.level", "a level");
    if EnvFilter::try_new(&level).is_err() {
        reader.reject("log.level", "error | warn | info | debug | trace, or RUST_LOG directives");
    }
    let formats =
        [("json", LogFormat::Json), ("pretty", LogFormat::Pretty), ("auto", LogFormat::Auto)];
    let format = reader.choice("log.format", &formats).unwrap_or(LogFormat::Auto);
    LogSettings { level, format }
}
