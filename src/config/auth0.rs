//! `[auth0]`: the tenant, the machine-to-machine application and the client that calls Auth0.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::protection::{self, BreakerSettings, BudgetSettings};
use super::reader::Reader;

/// The tenant and its client.
#[derive(Debug, Clone)]
pub struct Auth0Settings {
    /// Scheme, host and port, without a trailing slash.
    pub base: String,
    /// The client id of the machine-to-machine application.
    pub client_id: String,
    /// The client secret of the application.
    pub client_secret: SecretString,
    /// The Management API's identifier.
    pub audience: String,
    /// The database connection's name.
    pub connection: String,
    /// The value of `auth0-custom-domain`.
    pub custom_domain: Option<String>,
    /// The `verify_email` member of the create call.
    pub verify_email: VerifyEmail,
    /// Pins the user's id in the create call, so that the call can be repeated.
    pub pin_user_id: bool,
    /// The timeout of one call.
    pub timeout: Duration,
    /// The timeout of DNS lookup, connecting and the TLS handshake.
    pub connect_timeout: Duration,
    /// Uses HTTP/2 if the tenant offers it.
    pub http2: bool,
    /// The number of idle connections to keep.
    pub pool_max_idle: usize,
    /// The lifetime of an idle connection.
    pub pool_idle_timeout: Duration,
    /// Certificates to trust in addition to the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Sends the `Auth0-Client` header.
    pub telemetry: bool,
    /// The budget of the tenant's rate limit.
    pub budget: BudgetSettings,
    /// The circuit breaker.
    pub breaker: BreakerSettings,
}

/// `verify_email` of the create call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyEmail {
    /// Left out: the tenant's setting applies.
    Tenant,
    /// `true`
    On,
    /// `false`
    Off,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Auth0Settings> {
    let base = base(reader);
    let client_id = reader.required("auth0.client_id", "the client id");
    let client_secret = reader.secret("auth0.client_secret");
    let audience = match (reader.text("auth0.audience"), &base) {
        (Some(audience), _) => audience,
        (None, Some(url)) if has_canonical_audience(url) => format!("{}/api/v2/", origin(url)),
        (None, Some(_)) => {
            reader.reject(
                "auth0.audience",
                "the canonical audience, https://<tenant>.<region>.auth0.com/api/v2/, \
                 because it cannot be derived from a custom domain",
            );
            String::new()
        }
        (None, None) => String::new(),
    };
    let verify_email = reader.choice(
        "auth0.verify_email",
        &[("tenant", VerifyEmail::Tenant), ("on", VerifyEmail::On), ("off", VerifyEmail::Off)],
    );
    let custom_domain = reader.text("auth0.custom_domain");
    if let Some(domain) = &custom_domain
        && http::HeaderValue::from_str(domain).is_err()
    {
        reader.reject("auth0.custom_domain", "a domain");
    }
    let settings = Auth0Settings {
        base: base.as_ref().map(origin).unwrap_or_default(),
        client_id,
        client_secret,
        audience,
        connection: reader.required("auth0.connection", "the connection's name"),
        custom_domain,
        verify_email: verify_email.unwrap_or(VerifyEmail::Tenant),
        pin_user_id: reader.flag("auth0.pin_user_id"),
        timeout: reader.millis("auth0.timeout_ms", 100..=60_000),
        connect_timeout: reader.millis("auth0.connect_timeout_ms", 100..=60_000),
        http2: reader.flag("auth0.http2"),
        pool_max_idle: reader.count("auth0.pool_max_idle", 1..=10_000),
        pool_idle_timeout: reader.millis("auth0.pool_idle_timeout_ms", 1_000..=600_000),
        ca_file: ca_file(reader),
        telemetry: reader.flag("auth0.telemetry"),
        budget: protection::read_budget(reader),
        breaker: protection::read_breaker(reader),
    };
    base.map(|_| settings)
}

/// Reads the path of a file with certificates. Opens the file so that `config check` reports a bad
/// one.
fn ca_file(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text("auth0.ca_file")?);
    let pem = std::fs::read_to_string(&path).unwrap_or_default();
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        reader.reject("auth0.ca_file", "a readable file with certificates in PEM");
    }
    Some(path)
}

/// Reads the tenant's URL: a bare host (https) or a full URL without a path.
fn base(reader: &mut Reader<'_>) -> Option<Url> {
    const EXPECTED: &str = "the tenant's domain, such as tenant.eu.auth0.com, without a path \
                            (https; http:// for loopback only)";
    let text = reader.required("auth0.domain", EXPECTED);
    if text.is_empty() {
        return None;
    }
    let text = text.trim();
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&with_scheme).ok().filter(|url| {
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        plain && anonymous && scheme && url.has_host()
    });
    if url.is_none() {
        reader.reject("auth0.domain", EXPECTED);
    }
    url
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Returns whether the host is this machine, so that nothing is sent in the clear over a network.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Returns whether the audience can be derived from the host, which is true only for Auth0's own
/// domains.
fn has_canonical_audience(url: &Url) -> bool {
    let under = |domain: &str| {
        let rest = url.host_str().and_then(|host| host.strip_suffix(domain));
        rest.is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    is_loopback(url) || under("auth0.com") || under("auth0app.com")
}
