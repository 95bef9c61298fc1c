//! The emulator's own certificate authority, generated at start and trusted by no system.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// A certificate for this machine's names, and the CA that signed it.
#[derive(Clone)]
pub(crate) struct TlsIdentity {
    /// The CA certificate in PEM.
    pub(crate) ca_pem: String,
    /// Accepts connections with the certificate.
    pub(crate) acceptor: TlsAcceptor,
}

impl TlsIdentity {
    /// Generates a CA and a certificate for the loopback names and `host`.
    ///
    /// # Errors
    ///
    /// Returns an error if the keys cannot be generated.
    pub(crate) fn generate(host: IpAddr) -> io::Result<Self> {
        let (ca_pem, config) = generate_config(host).map_err(io::Error::other)?;
        Ok(Self { ca_pem, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// The CA's PEM, and a server configuration with a certificate signed by it.
fn generate_config(
    host: IpAddr,
) -> Result<(String, ServerConfig), Box<dyn std::error::Error + Send + Sync>> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "auth0-emulator");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;

    let key = KeyPair::generate()?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !host.is_loopback() && !host.is_unspecified() {
        names.push(host.to_string());
    }
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    // Python's TLS rejects a certificate without an authority key identifier.
    leaf.use_authority_key_identifier_extension = true;
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key))?;

    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der())?,
        )?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_certificate.pem(), config))
}
