//! The URL of a PostgreSQL database: libpq's form, without the parameters that have no effect here.
//!
//! A parameter that is unknown or misspelt is an error: ignored, `sslmod=verify-full` would leave
//! TLS unchecked. No error contains a value that may be part of the password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

/// The parameters of a URL.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// The port of a host without one.
const PORT: u16 = 5432;

/// The servers of a database, and the security of connections to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// A configuration for each host, in the order of the URL.
    pub hosts: Vec<Config>,
    /// The security of connections.
    pub tls: PostgresTls,
}

impl PostgresUrl {
    /// Returns whether both name the same database on the same hosts. The user, the password and the
    /// security of connections may differ.
    pub fn is_same_database(&self, other: &Self) -> bool {
        let place = |config: &Config| {
            let name = config.get_dbname().map(str::to_owned);
            let addresses = config.get_hostaddrs().to_vec();
            (config.get_hosts().to_vec(), addresses, config.get_ports().to_vec(), name)
        };
        self.hosts.iter().map(place).eq(other.hosts.iter().map(place))
    }
}

/// The security of connections to PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostgresTls {
    /// The parameter `sslmode`.
    pub mode: SslMode,
    /// The certificates of authorities; `None` means the system's.
    pub root_file: Option<PathBuf>,
    /// The client's certificate and its key.
    pub client_files: Option<(PathBuf, PathBuf)>,
}

/// The values of `sslmode`, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SslMode {
    /// Never encrypts.
    Disable,
    /// Encrypts if the server can, and checks nothing.
    #[default]
    Prefer,
    /// Encrypts, and checks nothing.
    Require,
    /// Encrypts, and checks the authority but not the host's name.
    VerifyCa,
    /// Encrypts, and checks the host.
    VerifyFull,
}

impl SslMode {
    const ALL: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

/// A URL that is rejected. Completes a sentence that starts with "expected".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

/// The parts of a URL, decoded. Later values replace earlier ones.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    /// Names and ports, separated by commas.
    hosts: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<String>,
    application_name: Option<String>,
    options: Option<String>,
    root_file: Option<PathBuf>,
    uses_system_roots: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    mode: Option<SslMode>,
    needs_primary: bool,
}

impl PostgresUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// The form that is expected, or the name of the parameter that is rejected.
    pub fn parse(url: &SecretString) -> Result<Self, UrlError> {
        let url = url.expose_secret();
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| error("postgres://user:password@host/database"))?;
        let (main, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return Err(error(
                "a URL whose password and parameters are percent-encoded (`?` is %3F, `@` is %40)",
            ));
        }
        let mut parts = Parts::default();
        parts.read_authority(main)?;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(|| {
                error("a URL whose password and parameters are percent-encoded (`&` is %26)")
            })?;
            parts.read_parameter(name, decode(value)?)?;
        }
        parts.finish()
    }

    /// Returns whether a server could be on another machine.
    pub fn is_remote(&self) -> bool {
        let is_local = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) if name == "localhost" => true,
            Host::Tcp(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        };
        self.hosts.iter().any(|config| match config.get_hostaddrs() {
            [] => !config.get_hosts().iter().all(is_local),
            addresses => !addresses.iter().all(IpAddr::is_loopback),
        })
    }
}

impl fmt::Display for PostgresUrl {
    /// Writes the servers and the database, without the user and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = |config: &Config| {
            let port = config.get_ports().first().copied().unwrap_or(PORT);
            match config.get_hosts().first() {
                Some(Host::Tcp(name)) if name.contains(':') => format!("[{name}]:{port}"),
                Some(Host::Tcp(name)) => format!("{name}:{port}"),
                Some(Host::Unix(path)) => format!("{}:{port}", path.display()),
                None => port.to_string(),
            }
        };
        f.write_str(&self.hosts.iter().map(server).collect::<Vec<_>>().join(","))?;
        let database = self.hosts.first().and_then(Config::get_dbname);
        database.map_or(Ok(()), |name| write!(f, "/{name}"))
    }
}

impl Parts {
    /// Reads `user:password@host:port,host:port/database`.
    fn read_authority(&mut self, main: &str) -> Result<(), UrlError> {
        let (authority, database) = main.split_once('/').unwrap_or((main, ""));
        if database.contains(['/', '@']) {
            return Err(error(
                "a URL whose password and database are percent-encoded (`/` is %2F, `@` is %40)",
            ));
        }
        if !database.is_empty() {
            self.database = Some(decode(database)?);
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)));
        if !user.is_empty() {
            self.user = Some(decode(user)?);
        }
        self.password = password.map(decode).transpose()?;
        for host in hosts.split(',') {
            let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
                Some((address, port)) => (address, port.strip_prefix(':')),
                None => {
                    host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)))
                }
            };
            self.hosts.push(decode(name)?);
            self.ports.push(port.unwrap_or_default().to_owned());
        }
        Ok(())
    }

    fn read_parameter(&mut self, name: &str, value: String) -> Result<(), UrlError> {
        let list = || value.split(',').map(str::to_owned).collect();
        match name {
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "host" => self.hosts = list(),
            "hostaddr" => self.addresses = list(),
            "port" => self.ports = list(),
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            "sslrootcert" | "sslcert" | "sslkey" if value.is_empty() => {
                return Err(error(format!("the path of a file for `{name}`")));
            }
            "sslrootcert" => {
                self.uses_system_roots = value == "system";
                self.root_file = (!self.uses_system_roots).then(|| value.into());
            }
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            "sslmode" => {
                let mode = SslMode::ALL.iter().find(|(name, _)| *name == value);
                let names = SslMode::ALL.map(|(name, _)| name).join(", ");
                let mode =
                    mode.ok_or_else(|| error(format!("one of these for `sslmode`: {names}")));
                self.mode = Some(mode?.1);
            }
            "target_session_attrs" => {
                self.needs_primary = match value.as_str() {
                    "any" => false,
                    "read-write" | "primary" => true,
                    _ => {
                        return Err(error(
                            "a server that can be written: `target_session_attrs` read-write, \
                             primary or any",
                        ));
                    }
                };
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn finish(self) -> Result<PostgresUrl, UrlError> {
        let client_files = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(error("`sslcert` and `sslkey`, or neither")),
        };
        let count = self.hosts.len().max(self.addresses.len()).max(1);
        let fits = |list: &[String]| list.len() <= 1 || list.len() == count;
        if !fits(&self.hosts) || !fits(&self.addresses) || !fits(&self.ports) {
            return Err(error("as many values of `host`, `hostaddr` and `port`"));
        }
        let mut hosts = Vec::with_capacity(count);
        for number in 0..count {
            let mut config = Config::new();
            let host = at(&self.hosts, number);
            match (host, at(&self.addresses, number)) {
                (host, Some(address)) => {
                    let address =
                        address.parse().map_err(|_| error("IP addresses as `hostaddr`"))?;
                    config.hostaddr(address);
                    config.host(host.map_or_else(|| address.to_string(), str::to_owned));
                }
                (Some(path), None) if path.starts_with('/') => {
                    config.host_path(path);
                }
                (host, None) => {
                    config.host(host.unwrap_or("localhost"));
                }
            }
            let port = at(&self.ports, number).map_or(Some(PORT), |port| port.parse().ok());
            let port = port.filter(|port| *port > 0);
            config.port(port.ok_or_else(|| error("numbers from 1 to 65535 as ports"))?);
            if let Some(user) = &self.user {
                config.user(user);
            }
            if let Some(password) = &self.password {
                config.password(password);
            }
            if let Some(database) = self.database.as_ref().or(self.user.as_ref()) {
                config.dbname(database);
            }
            if let Some(options) = &self.options {
                config.options(options);
            }
            config.application_name(self.application_name.as_deref().unwrap_or("auth0-signup"));
            // Of several hosts, only the one that can be written is of use.
            if self.needs_primary || count > 1 {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            hosts.push(config);
        }
        let mode = match (self.mode, self.uses_system_roots) {
            (None, true) => SslMode::VerifyFull,
            // As libpq: a mode that checks nothing would not use them.
            (Some(mode), true) if mode < SslMode::VerifyCa => {
                return Err(error("`sslmode=verify-full` with `sslrootcert=system`"));
            }
            (mode, _) => mode.unwrap_or_default(),
        };
        let tls = PostgresTls { mode, root_file: self.root_file, client_files };
        Ok(PostgresUrl { hosts, tls })
    }
}

/// The value for this host; one value is for all hosts, and an empty one is none.
fn at(list: &[String], number: usize) -> Option<&str> {
    let value = if list.len() == 1 { list.first() } else { list.get(number) };
    value.map(String::as_str).filter(|value| !value.is_empty())
}

fn decode(text: &str) -> Result<String, UrlError> {
    let text =
        percent_decode_str(text).decode_utf8().map_err(|_| error("percent-encoded UTF-8"))?;
    if text.contains('\0') { Err(error("no NUL")) } else { Ok(text.into_owned()) }
}

/// The error for a parameter that is not one of [`PARAMETERS`]. Names it only if it is one edit away
/// from one of them: it may be a part of a password with `&` and `=`.
fn unknown(name: &str) -> UrlError {
    let is_near = |known: &&&str| strsim::damerau_levenshtein(known, name) == 1;
    match PARAMETERS.iter().find(is_near) {
        Some(known) => error(format!("`{known}` in place of the unknown parameter `{name}`")),
        None => error(format!(
            "only these parameters, with `&` in a value as %26: {}",
            PARAMETERS.join(", ")
        )),
    }
}

fn error(expected: impl Into<String>) -> UrlError {
    UrlError(expected.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresUrl, String> {
        PostgresUrl::parse(&url.to_owned().into()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_part_is_read() {
        let url = parse("postgres://ann:p%40ss@one:1,two,[::1]:3/shop?sslmode=verify-ca").unwrap();
        let of = |config: &Config| {
            let [Host::Tcp(host)] = config.get_hosts() else { panic!("{config:?}") };
            (host.clone(), config.get_ports()[0])
        };
        let hosts: Vec<_> = url.hosts.iter().map(of).collect();
        let expected = [("one", 1), ("two", 5432), ("::1", 3)];
        assert_eq!(hosts, expected.map(|(host, port)| (host.to_owned(), port)));
        for config in &url.hosts {
            assert_eq!(config.get_user(), Some("ann"));
            assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
            assert_eq!(config.get_dbname(), Some("shop"));
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
        assert_eq!(url.tls.mode, SslMode::VerifyCa);
        assert!(url.is_remote());
        assert_eq!(url.to_string(), "one:1,two:5432,[::1]:3/shop");
    }

    #[test]
    fn parameters_replace_the_authority() {
        let url = parse("postgres://ann@localhost/shop?host=/run/pg&port=7&user=ben").unwrap();
        let [config] = url.hosts.as_slice() else { panic!("{url:?}") };
        assert_eq!(config.get_hosts(), [Host::Unix("/run/pg".into())]);
        assert_eq!(url.to_string(), "/run/pg:7/shop");
        assert_eq!((config.get_ports(), config.get_user()), (&[7][..], Some("ben")));
        assert!(!url.is_remote());
        for (host, is_remote) in [("127.0.0.1", false), ("[::1]", false), ("10.0.0.1", true)] {
            let url = parse(&format!("postgres://{host}/shop")).unwrap();
            assert_eq!(url.is_remote(), is_remote, "{host}");
        }
    }

    #[test]
    fn the_authorities_of_the_system_are_always_used() {
        let mode = |query: &str| parse(&format!("postgres://host/shop?{query}")).unwrap().tls.mode;
        assert_eq!(mode("sslrootcert=system"), SslMode::VerifyFull);
        assert_eq!(mode("sslrootcert=system&sslmode=verify-ca"), SslMode::VerifyCa);
        assert_eq!(mode("sslrootcert=/ca.pem"), SslMode::Prefer);
    }

    #[test]
    fn a_misspelt_parameter_is_named_with_the_nearest_one() {
        for (parameter, expected) in [
            ("sslmod=verify-full", "`sslmode` in place of the unknown parameter `sslmod`"),
            ("ssl-mode=require", "`sslmode` in place of the unknown parameter `ssl-mode`"),
            ("SSLMODE=require", "only these parameters"),
            ("connect_timeout=3", "only these parameters"),
            ("sslmode", "a URL whose password and parameters are percent-encoded (`&` is %26"),
            ("sslmode=verify_full", "one of these for `sslmode`: disable"),
            ("target_session_attrs=standby", "a server that can be written"),
            ("sslcert=/x", "`sslcert` and `sslkey`"),
            ("port=x", "numbers from 1 to 65535"),
            ("port=0", "numbers from 1 to 65535"),
            ("sslrootcert=", "the path of a file for `sslrootcert`"),
            ("sslrootcert=system&sslmode=require", "`sslmode=verify-full` with"),
            ("sslmode=prefer&sslrootcert=system", "`sslmode=verify-full` with"),
            ("host=a,b,c&port=1,2", "as many values"),
        ] {
            let error = parse(&format!("postgres://host/shop?{parameter}")).unwrap_err();
            assert!(error.starts_with(expected), "{parameter}: {error}");
        }
    }

    #[test]
    fn no_error_contains_a_part_of_the_password() {
        for url in [
            "postgres://ann:can?ary@host/shop",
            "postgres://ann:p?canary=1@host/shop",
            "postgres://ann:%FFcanary@host/shop",
            "postgres://ann:can/ary@host:x/shop",
            "postgres://ann:p@canary/word@host/shop",
            "postgres://ann:4711/canary@host/shop",
            "postgres://ann:4711/can/ary/shop",
            "postgres://host/shop?user=ann&password=can&canary&sslmode=require",
            "postgres://host/shop?user=ann&password=can&canary=1",
            "mysql://ann:canary@host/shop",
        ] {
            let parsed = parse(url);
            assert!(parsed.is_err(), "{url}");
            if let Err(error) = parsed {
                assert!(!error.contains("canary") && !error.contains("ary@"), "{url}: {error}");
            }
        }
        // Two edits from `host`.
        for rest in ["horse", "horse=1"] {
            let error = parse(&format!("postgres://host/shop?password=a&{rest}")).unwrap_err();
            assert!(!error.contains("horse"), "{error}");
        }
    }
}
