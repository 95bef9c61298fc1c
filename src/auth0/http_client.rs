//! The one place where the upstream's HTTP client is built.

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, retry};

use crate::config::Auth0Settings;

/// Why the client cannot be built. Told at start, where it can be mended.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `auth0.ca_file` cannot be read.
    #[error("auth0.ca_file cannot be read")]
    ReadCa(#[source] std::io::Error),
    /// `auth0.ca_file` holds no PEM certificates.
    #[error("auth0.ca_file holds no certificates in PEM")]
    ParseCa(#[source] reqwest::Error),
    /// A setting that is no header value.
    #[error("auth0.custom_domain cannot be sent in a header")]
    Header(#[from] http::header::InvalidHeaderValue),
    /// An address that is none.
    #[error("auth0.domain is no address")]
    Address(#[from] url::ParseError),
    /// The TLS set-up: no usable certificate authorities, most often.
    #[error("the HTTP client cannot be built: are the system's CA certificates installed?")]
    Client(#[source] reqwest::Error),
}

/// Builds the client for the tenant.
///
/// No redirects (a token must not follow one) and no retries but ours (a create that was acted on
/// must not be sent again).
pub(super) fn build(settings: &Auth0Settings) -> Result<Client, BuildError> {
    let mut builder = ClientBuilder::new()
        .redirect(Policy::none())
        .retry(retry::never())
        .timeout(settings.timeout)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .referer(false);
    if !settings.http2 {
        builder = builder.http1_only();
    }
    if settings.base.starts_with("http://") {
        // Loopback: nobody means the proxy of the environment for it, and no certificate of the
        // system's bundle is worth reading.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(BuildError::ReadCa)?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(BuildError::ParseCa)?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(BuildError::Client)
}
