//! `[auth0]`: the tenant, the machine-to-machine application and the client that calls Auth0.

use std::time::Duration;

use url::Url;

use super::credentials::{self, ClientCredentials};
use super::identifiers::{CLIENT_ID, CONNECTION, parse_client_id, parse_connection};
use super::outbound::{self, OutboundSettings};
use super::protection::{self, BreakerSettings, BudgetSettings};
use super::reader::Reader;
use super::urls;

/// The tenant and its client.
#[derive(Debug, Clone)]
pub struct Auth0Settings {
    /// Scheme, host and port, without a trailing slash.
    pub base: String,
    /// The client id of the machine-to-machine application.
    pub client_id: String,
    /// The credentials of the application.
    pub credentials: ClientCredentials,
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
    /// The number of idle connections to keep.
    pub pool_max_idle: usize,
    /// The lifetime of an idle connection.
    pub pool_idle_timeout: Duration,
    /// The certificates and the proxy for calls on https.
    pub outbound: OutboundSettings,
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

/// The expected value of `auth0.domain`.
const DOMAIN: &str = "the tenant's domain, such as tenant.eu.auth0.com, without a path \
                      (https; http:// for loopback only)";

pub(super) fn read(reader: &mut Reader<'_>) -> Auth0Settings {
    let base = reader.required_parsed("auth0.domain", DOMAIN, urls::parse_tenant);
    let client_id = reader.required_parsed("auth0.client_id", CLIENT_ID, parse_client_id);
    let credentials = credentials::read(reader);
    let audience = audience(reader, base.as_ref());
    let verify_email = reader.choice(
        "auth0.verify_email",
        &[("tenant", VerifyEmail::Tenant), ("on", VerifyEmail::On), ("off", VerifyEmail::Off)],
    );
    let connection = reader.required_parsed("auth0.connection", CONNECTION, parse_connection);
    let host = "a domain, such as login.example.com";
    let custom_domain = reader.parsed("auth0.custom_domain", host, urls::parse_host);
    let outbound = outbound::read(reader, base.as_ref());
    Auth0Settings {
        base: base.as_ref().map(urls::origin).unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        credentials,
        audience,
        connection: connection.unwrap_or_default(),
        custom_domain,
        verify_email: verify_email.unwrap_or(VerifyEmail::Tenant),
        pin_user_id: reader.flag("auth0.pin_user_id"),
        timeout: reader.millis("auth0.timeout_ms", 100..=60_000),
        connect_timeout: reader.millis("auth0.connect_timeout_ms", 100..=60_000),
        pool_max_idle: reader.count("auth0.pool_max_idle", 1..=10_000),
        pool_idle_timeout: reader.millis("auth0.pool_idle_timeout_ms", 1_000..=600_000),
        outbound,
        telemetry: reader.flag("auth0.telemetry"),
        budget: protection::read_budget(reader),
        breaker: protection::read_breaker(reader),
    }
}

/// Reads the Management API's identifier, or derives it from one of Auth0's own domains. It is always
/// that of the canonical domain.
fn audience(reader: &mut Reader<'_>, base: Option<&Url>) -> String {
    const KEY: &str = "auth0.audience";
    const PATH: &str = "/api/v2/";
    let derived = base.filter(|url| has_canonical_audience(url));
    let derived = derived.map(|url| format!("{}{PATH}", urls::origin(url)));
    let example = derived.as_deref().unwrap_or("https://<tenant>.<region>.auth0.com/api/v2/");
    if base.is_some() && derived.is_none() && reader.text(KEY).is_none() {
        let expected = "because it cannot be derived from a custom domain";
        reader.reject(KEY, format_args!("{example}, {expected}"));
    }
    let expected = format!("{example}, with its trailing slash");
    let given = reader.parsed(KEY, expected, |text| {
        let url = urls::parse_secure(text)?;
        (format!("{}{PATH}", urls::origin(&url)) == text).then(|| text.to_owned())
    });
    given.or(derived).unwrap_or_default()
}

/// Returns whether the audience can be derived from the host, which is true only for Auth0's own
/// domains.
fn has_canonical_audience(url: &Url) -> bool {
    let under = |domain: &str| {
        let rest = url.host_str().and_then(|host| host.strip_suffix(domain));
        rest.is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    urls::is_loopback(url) || under("auth0.com") || under("auth0app.com")
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_with;

    #[test]
    fn the_audience_is_derived_from_a_domain_of_auth0() {
        let auth0 = load_with(&[]).unwrap().auth0;
        assert_eq!(auth0.base, "https://tenant.eu.auth0.com");
        assert_eq!(auth0.audience, "https://tenant.eu.auth0.com/api/v2/");
        let custom = ("AUTH0_DOMAIN", "login.example.com");
        let audience = ("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2/");
        assert_eq!(load_with(&[custom, audience]).unwrap().auth0.audience, audience.1);
    }
}
