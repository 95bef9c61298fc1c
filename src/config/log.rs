//! `[log]`: the level and the format of the log.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::reader::Reader;

/// The level and the format of the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Directives in the syntax of `RUST_LOG`.
    pub level: String,
    /// The format of a line.
    pub format: LogFormat,
    /// The part of a client's address in the event of its request.
    pub client_address: AddressDetail,
}

/// The part of a client's address that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressDetail {
    /// Nothing.
    Off,
    /// The address.
    Full,
    /// Its /24 (IPv4) or /48 (IPv6).
    Network,
    /// A keyed digest, by which the requests of one client are recognised.
    Hash,
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
    let expected = "error | warn | info | debug | trace | off, or directives such as \
                    info,auth0_signup=debug";
    let level = reader.required_parsed("log.level", expected, parse_level);
    let formats =
        [("json", LogFormat::Json), ("pretty", LogFormat::Pretty), ("auto", LogFormat::Auto)];
    let format = reader.choice("log.format", &formats).unwrap_or(LogFormat::Auto);
    let details = [
        ("off", AddressDetail::Off),
        ("full", AddressDetail::Full),
        ("network", AddressDetail::Network),
        ("hash", AddressDetail::Hash),
    ];
    let client_address = reader.choice("log.client_address", &details);
    LogSettings {
        level: level.unwrap_or_default(),
        format,
        client_address: client_address.unwrap_or(AddressDetail::Off),
    }
}

/// Parses directives in the syntax of `RUST_LOG`.
///
/// `EnvFilter` takes a misspelt level for the name of a module, and then logs nothing else, not even
/// errors. So a directive without a level must be a level or a module of this service.
fn parse_level(text: &str) -> Option<String> {
    let is_clear = |directive: &str| {
        let directive = directive.trim();
        directive.contains('=')
            || directive.parse::<LevelFilter>().is_ok()
            || directive.split("::").next() == Some(env!("CARGO_CRATE_NAME"))
    };
    (text.split(',').all(is_clear) && EnvFilter::try_new(text).is_ok()).then(|| text.to_owned())
}
