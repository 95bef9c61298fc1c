//! TLS to other servers: the authorities that are trusted, and the settings that the HTTP clients
//! share.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// The variable that replaces the system's certificates.
pub const CERT_FILE: &str = "SSL_CERT_FILE";

/// The places at which distributions keep the certificates that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The reason that the certificates of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] std::io::Error),
    /// The file holds no certificate.
    #[error("it holds none")]
    Empty,
    /// A certificate is damaged, or of a kind that the TLS library does not support.
    #[error("certificate {nth} cannot be used: {reason}")]
    Invalid {
        /// Its place in the file, from 1.
        nth: usize,
        /// The reason.
        reason: String,
    },
}

/// Reads the certificates of a file in PEM.
///
/// # Errors
/// If there is none, or one that cannot be used.
pub fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let found: Vec<_> = read_each(path)?.into_iter().collect::<Result<_, _>>()?;
    if found.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(found) }
}

/// Reads the certificates of a file in PEM, and skips those that cannot be used, as the TLS library
/// does with the file of [`CERT_FILE`].
///
/// # Errors
/// If none can be used, the reason of the first.
pub fn read_usable_authorities(
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let (mut usable, mut first) = (Vec::new(), None);
    for certificate in read_each(path)? {
        match certificate {
            Ok(certificate) => usable.push(certificate),
            Err(error) => first = first.or(Some(error)),
        }
    }
    if usable.is_empty() { Err(first.unwrap_or(AuthoritiesError::Empty)) } else { Ok(usable) }
}

type ReadCertificate = Result<CertificateDer<'static>, AuthoritiesError>;

fn read_each(path: &Path) -> Result<Vec<ReadCertificate>, AuthoritiesError> {
    let pem = std::fs::read(path)?;
    let found = CertificateDer::pem_slice_iter(&pem).enumerate().map(|(at, found)| {
        let invalid = |reason| AuthoritiesError::Invalid { nth: at + 1, reason };
        let certificate = found.map_err(|error| invalid(pem_reason(&error)))?;
        match RootCertStore::empty().add(certificate.clone()) {
            Ok(()) => Ok(certificate),
            Err(error) => Err(invalid(certificate_reason(&error))),
        }
    });
    Ok(found.collect())
}

/// The reason in words: the library's own are bytes as a list of numbers.
fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its last line is missing".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "its first line is damaged".to_owned(),
        pem::Error::Base64Decode(_) => "its base64 is damaged".to_owned(),
        other => other.to_string(),
    }
}

/// The reason in words: the library's own speak of a peer.
fn certificate_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "its content is no X.509 certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    let provider = CryptoProvider::get_default().cloned();
    provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// Verifies servers with the system's certificates (those of [`CERT_FILE`] where it is set) and with
/// `authorities`.
///
/// # Errors
/// If there are no certificates.
pub fn verifier(
    authorities: &[CertificateDer<'static>],
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let variable = std::env::var_os(CERT_FILE);
    let trimmed = variable.as_deref().map(trimmed_authorities).unwrap_or_default();
    let all = authorities.iter().cloned().chain(trimmed);
    Ok(Arc::new(Verifier::new_with_extra_roots(all, provider())?))
}

/// Returns the certificates that [`CERT_FILE`] means if there are blanks in its value. As in every
/// setting, a blank value means "not set", and blanks around a path do not belong to it. The TLS
/// library takes them for a part of the file's name, and finds no certificates.
fn trimmed_authorities(variable: &OsStr) -> Vec<CertificateDer<'static>> {
    let Some(text) = variable.to_str() else { return Vec::new() };
    let path = text.trim();
    if path == text && !path.is_empty() {
        return Vec::new();
    }
    let bundles: &[&str] = if path.is_empty() { &BUNDLES } else { &[path] };
    let found = bundles.iter().find_map(|path| read_usable_authorities(Path::new(path)).ok());
    found.unwrap_or_default()
}

/// The settings of an HTTP client, which speaks HTTP/1.1 only.
///
/// # Errors
/// If the cryptography supports no version of TLS.
pub fn client_config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
