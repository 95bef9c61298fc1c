//! The certificates and the proxy for calls on https: `auth0.ca_file`, and the variables that
//! programs share (`SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).

use std::path::Path;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::CertificateDer;
use secrecy::SecretString;
use url::Url;

use super::reader::Reader;
use super::urls;
use super::variables::{PROXIES, PROXY_EXCEPTIONS};
use crate::tls::{self, AuthoritiesError, CERT_FILE};

/// The certificates and the proxy for calls to the tenant, or to the captcha service.
#[derive(Debug, Clone)]
pub struct OutboundSettings {
    /// The certificates of `auth0.ca_file`, to trust in addition to the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy; `None` without one.
    pub proxy: Option<OutboundProxy>,
}

/// The proxy that a variable names.
#[derive(Debug, Clone)]
pub struct OutboundProxy {
    /// The variable.
    pub variable: &'static str,
    /// Host and port, without credentials.
    pub address: String,
    /// The URL, which may contain credentials, or the reason why the host is called directly.
    pub url: Result<SecretString, ProxyBypass>,
}

/// The reason why a host is called directly although there is a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyBypass {
    /// `NO_PROXY` names the host.
    #[error("NO_PROXY covers it")]
    NoProxy,
    /// The host is on this machine.
    #[error("it is on loopback")]
    Loopback,
}

/// Reads the settings for calls to `base`. Nothing but https needs certificates or a proxy.
pub(super) fn read(reader: &mut Reader<'_>, base: Option<&Url>) -> OutboundSettings {
    let authorities = certificates(reader, "auth0.ca_file", tls::read_authorities);
    if base.is_some_and(|base| base.scheme() == "https") {
        // The TLS library reads the file again.
        drop(certificates(reader, CERT_FILE, tls::read_usable_authorities));
    }
    OutboundSettings { authorities, proxy: base.and_then(|base| read_proxy(reader, base)) }
}

/// Reads the certificates of a file; none if the key is not set.
fn certificates(
    reader: &mut Reader<'_>,
    key: &str,
    read: impl FnOnce(&Path) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError>,
) -> Vec<CertificateDer<'static>> {
    let Some(path) = reader.text(key) else { return Vec::new() };
    read(Path::new(&path)).unwrap_or_else(|error| {
        let expected = "a readable file with certificates in PEM";
        reader.reject(key, format_args!("{expected}: {error}"));
        Vec::new()
    })
}

/// Reads the proxy, and whether it applies to calls to the host of `base`: never on loopback, and
/// elsewhere all calls are on https.
fn read_proxy(reader: &mut Reader<'_>, base: &Url) -> Option<OutboundProxy> {
    let variable = PROXIES.into_iter().find(|variable| reader.text(variable).is_some())?;
    if urls::is_loopback(base) {
        // Nothing uses it, so that errors in it do not matter.
        let (_, address) = parse_proxy(&reader.text(variable)?)?;
        return Some(OutboundProxy { variable, address, url: Err(ProxyBypass::Loopback) });
    }
    let expected = "a proxy, such as http://proxy.example.com:3128 (http or https)";
    let (url, address) = reader.parsed(variable, expected, parse_proxy)?;
    let exceptions = PROXY_EXCEPTIONS.into_iter().find_map(|variable| reader.text(variable));
    let matcher = Matcher::builder()
        .https(format!("http://{address}"))
        .no(exceptions.unwrap_or_default())
        .build();
    let target: Uri = base.as_str().parse().ok()?;
    let is_used = matcher.intercept(&target).is_some();
    let url = if is_used { Ok(String::from(url).into()) } else { Err(ProxyBypass::NoProxy) };
    Some(OutboundProxy { variable, address, url })
}

/// Parses the URL of a proxy and its address. Without a scheme it is http, as curl has it.
fn parse_proxy(text: &str) -> Option<(Url, String)> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).ok()?;
    let address = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    matches!(url.scheme(), "http" | "https").then_some((url, address))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::layers::Layers;
    use super::*;

    fn proxy_of(tenant: &str, variables: &[(&str, &str)]) -> Option<OutboundProxy> {
        let (layers, errors) = Layers::from_variables(variables);
        let mut reader = Reader::new(&layers, errors);
        let settings = read(&mut reader, Some(&Url::parse(tenant).unwrap()));
        reader.finish(Some(settings)).unwrap().proxy
    }

    #[test]
    fn a_proxy_needs_no_scheme_and_shows_no_credentials() {
        let tenant = "https://tenant.eu.auth0.com";
        for (value, address, url) in [
            ("proxy.example:3128", "proxy.example:3128", "http://proxy.example:3128/"),
            ("https://proxy.example", "proxy.example:443", "https://proxy.example/"),
            (
                "user:canary@proxy.example:1",
                "proxy.example:1",
                "http://user:canary@proxy.example:1/",
            ),
        ] {
            for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
                let proxy = proxy_of(tenant, &[(variable, value)]).unwrap();
                assert_eq!((proxy.variable, proxy.address.as_str()), (variable, address));
                assert!(!format!("{proxy:?}").contains("canary"), "{proxy:?}");
                assert_eq!(proxy.url.unwrap().expose_secret(), url);
            }
        }
        assert!(proxy_of(tenant, &[("HTTP_PROXY", "proxy.example:3128")]).is_none());
    }

    #[test]
    fn loopback_is_never_proxied_and_no_proxy_is_honoured() {
        let proxy = ("HTTPS_PROXY", "http://proxy.example:3128");
        for tenant in ["https://127.0.0.1:4010", "https://localhost", "https://[::1]:1"] {
            let url = proxy_of(tenant, &[proxy]).unwrap().url;
            assert!(matches!(url, Err(ProxyBypass::Loopback)), "{tenant}");
        }
        let tenant = "https://tenant.eu.auth0.com";
        for (exceptions, is_used) in
            [("auth0.com", false), (".auth0.com", false), ("*", false), ("example.com", true)]
        {
            let proxy = proxy_of(tenant, &[proxy, ("NO_PROXY", exceptions)]).unwrap();
            assert_eq!(proxy.url.is_ok(), is_used, "{exceptions}");
        }
    }
}
