//! `[auth0]`: the tenant, the machine-to-machine application and the client that calls it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::protection::{self, BreakerSettings, BudgetSettings};
use super::reader::Reader;

/// The tenant and how it is called.
#[derive(Debug, Clone)]
pub struct Auth0Settings {
    /// Scheme, host and port, without a slash at the end.
    pub base: String,
    /// The client id of the machine-to-machine application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The Management API's identifier.
    pub audience: String,
    /// The database connection's name.
    pub connection: String,
    /// The value of `auth0-custom-domain`.
    pub custom_domain: Option<String>,
    /// Whether the create call says `verify_email`.
    pub verify_email: VerifyEmail,
    /// Whether the create call pins the user's id, so that it can be repeated.
    pub pin_user_id: bool,
    /// One call in all.
    pub timeout: Duration,
    /// Resolving, connecting and the TLS handshake.
    pub connect_timeout: Duration,
    /// HTTP/2 where the tenant offers it.
    pub http2: bool,
    /// Idle connections kept.
    pub pool_max_idle: usize,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Duration,
    /// Certificates trusted beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether `Auth0-Client` is sent.
    pub telemetry: bool,
    /// How its rate limit is kept.
    pub budget: BudgetSettings,
    /// When calls to it fail at once.
    pub breaker: BreakerSettings,
}

/// `verify_email` of the create call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyEmail {
    /// Left out: the tenant's own setting decides.
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
            reader.fault(
                "auth0.audience",
                "the canonical audience, https://<tenant>.<region>.auth0.com/api/v2/, \
                 since a custom domain does not tell it",
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
        reader.fault("auth0.custom_domain", "a domain");
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

/// A file with certificates, looked into here so that `config check` tells of it.
fn ca_file(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text("auth0.ca_file")?);
    let pem = std::fs::read_to_string(&path).unwrap_or_default();
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        reader.fault("auth0.ca_file", "a readable file with certificates in PEM");
    }
    Some(path)
}

/// The tenant's address: a bare host (https) or a whole URL without a path.
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
        reader.fault("auth0.domain", EXPECTED);
    }
    url
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether the host is this machine, so that nothing travels in the clear.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Whether the audience can be derived from the host: only under Auth0's own domains.
fn has_canonical_audience(url: &Url) -> bool {
    let under = |domain: &str| {
        let rest = url.host_str().and_then(|host| host.strip_suffix(domain));
        rest.is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    is_loopback(url) || under("auth0.com") || under("auth0app.com")
}
