//! Construction of the HTTP client for the tenant; nothing else builds one.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, retry};

use crate::config::Auth0Settings;

/// Error while the client is built. Reported at start, where the operator can correct it.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `auth0.ca_file` cannot be read.
    #[error("auth0.ca_file cannot be read")]
    ReadCa(#[source] std::io::Error),
    /// `auth0.ca_file` holds no PEM certificates.
    #[error("auth0.ca_file holds no certificates in PEM")]
    ParseCa(#[source] reqwest::Error),
    /// A setting that is not a valid header value.
    #[error("auth0.custom_domain cannot be sent in a header")]
    Header(#[from] http::header::InvalidHeaderValue),
    /// A setting that is not a valid address.
    #[error("auth0.domain is not a valid address")]
    Address(#[from] url::ParseError),
    /// The TLS set-up failed: most often there are no usable certificate authorities.
    #[error("the HTTP client cannot be built: are the system's CA certificates installed?")]
    Client(#[source] reqwest::Error),
}

/// Interval of HTTP/2 keep-alive pings, and the timeout for their response.
const H2_PING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3));

/// Builds the client for the tenant.
///
/// No redirects (a token must not follow one) and no retries but our own (a create that the tenant
/// acted on must not be sent again).
pub(super) fn build(settings: &Auth0Settings) -> Result<Client, BuildError> {
    let mut builder = ClientBuilder::new()
        .redirect(Policy::none())
        .retry(retry::never())
        .timeout(settings.timeout)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .referer(false);
    builder = if settings.http2 {
        // One connection carries every call, so a dead one has to be detected and replaced.
        builder
            .http2_keep_alive_interval(H2_PING.0)
            .http2_keep_alive_timeout(H2_PING.1)
            .http2_keep_alive_while_idle(true)
    } else {
        builder.http1_only()
    };
    if settings.base.starts_with("http://") {
        // Loopback: the environment's proxy is not meant for it, and the system's certificates are
        // not needed.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(BuildError::ReadCa)?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(BuildError::ParseCa)?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(BuildError::Client)
}
