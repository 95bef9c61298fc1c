//! `[log]`: the level and the format of the log.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::reader::Reader;

/// The level and the format of the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Directives in the syntax of `RUST_LOG`. Unless they name a level for the whole service, such as
    /// `off`, its errors are logged too.
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

/// The name of this service in a directive.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// Parses directives in the syntax of `RUST_LOG`.
///
/// `EnvFilter` logs nothing that no directive covers, not even errors: with `hyper=debug` alone this
/// service would log nothing. So errors are added, unless a directive is about the whole service.
fn parse_level(text: &str) -> Option<String> {
    let directives: Vec<_> = text.split(',').map(str::trim).collect();
    if !directives.iter().all(|directive| is_clear(directive)) || EnvFilter::try_new(text).is_err()
    {
        return None;
    }
    let is_of_service =
        |directive: &&str| is_level(directive) || directive.split('=').next() == Some(OWN);
    let is_covered = directives.iter().any(is_of_service);
    Some(if is_covered { text.to_owned() } else { format!("error,{text}") })
}

/// Returns whether a directive means what it says.
///
/// `EnvFilter` takes a misspelt level for the name of a module. So a directive without a level must be
/// a level or a module of this service, and a name that is nearly this service's is a mistake. So is
/// the start of its name, which `EnvFilter` applies to this service.
fn is_clear(directive: &str) -> bool {
    if directive.is_empty() {
        return false;
    }
    let target = directive.split(['=', '[']).next().unwrap_or_default();
    let name = target.split("::").next().unwrap_or_default();
    if is_level(directive) || name == OWN {
        return true;
    }
    let is_mistake = strsim::osa_distance(&name.to_ascii_lowercase(), OWN) <= 1
        || (!target.is_empty() && OWN.starts_with(target));
    directive.contains('=') && !is_mistake
}

fn is_level(directive: &str) -> bool {
    directive.parse::<LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Returns whether an error and a debug event of this service are logged.
    fn logs(text: &str) -> Option<(bool, bool)> {
        let filter = EnvFilter::new(parse_level(text)?);
        Some(with_default(tracing_subscriber::registry().with(filter), || {
            let error = tracing::enabled!(target: "auth0_signup::http", Level::ERROR);
            (error, tracing::enabled!(target: "auth0_signup::http", Level::DEBUG))
        }))
    }

    #[test]
    fn errors_are_logged_unless_the_service_is_switched_off() {
        for text in
            ["hyper=debug", "[x]=debug", "nonsense=off", "auth0_signup::nope=debug", "hyper=off"]
        {
            assert_eq!(logs(text).map(|(error, _)| error), Some(true), "{text}");
        }
        for text in ["debug", "auth0_signup=debug", "off,auth0_signup::http=debug", "auth0_signup"]
        {
            assert_eq!(logs(text), Some((true, true)), "{text}");
        }
        assert_eq!(logs("info,hyper=off"), Some((true, false)));
        for text in ["off", "auth0_signup=off", "debug,auth0_signup=off"] {
            assert_eq!(logs(text), Some((false, false)), "{text}");
        }
    }
}
