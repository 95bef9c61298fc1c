//! TLS to the server, with rustls.

use std::error::Error as StdError;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fs, io};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::errors::PostgresError;
use crate::config::{PostgresTls, SslMode};
use crate::tls;

/// The settings for this security; `None` without TLS.
pub(super) fn config(settings: &PostgresTls) -> Result<Option<Arc<ClientConfig>>, PostgresError> {
    if settings.mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = tls::provider();
    let algorithms = provider.signature_verification_algorithms;
    let authorities: Option<Arc<dyn ServerCertVerifier>> =
        match (settings.mode, &settings.root_file) {
            // As libpq: a file of authorities is used whatever the mode.
            (SslMode::Prefer | SslMode::Require, None) => None,
            (_, Some(file)) => {
                let roots = in_file("sslrootcert", file, authorities(file))?;
                let verifier = WebPkiServerVerifier::builder_with_provider(
                    Arc::new(roots),
                    Arc::clone(&provider),
                );
                let verifier = verifier.build();
                let error = |error| PostgresError::Tls(rustls::Error::General(format!("{error}")));
                Some(verifier.map_err(error)?)
            }
            (_, None) => Some(tls::verifier(&[]).map_err(PostgresError::Tls)?),
        };
    let verifier = ServerVerifier { authorities, mode: settings.mode, algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(PostgresError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &settings.client_files {
        None => builder.with_no_client_auth(),
        Some((file, key_file)) => {
            let certificates = in_file("sslcert", file, certificates(file))?;
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(FileError::from);
            let key = in_file("sslkey", key_file, key)?;
            let config = builder.with_client_auth_cert(certificates, key);
            in_file("sslcert", file, config.map_err(FileError::from))?
        }
    };
    Ok(Some(Arc::new(config)))
}

/// Digests of the files that these settings name: others once a certificate is renewed at its path. One
/// that cannot be read is an error of [`config`].
pub(super) fn file_digests(settings: &PostgresTls) -> Vec<u8> {
    let client_files = settings.client_files.iter().flat_map(|(file, key_file)| [file, key_file]);
    let mut digests = Vec::new();
    for file in settings.root_file.iter().chain(client_files) {
        let content = fs::read(file).unwrap_or_default();
        digests.extend_from_slice(digest(&SHA256, &content).as_ref());
    }
    digests
}

type FileError = Box<dyn StdError + Send + Sync>;

/// Names the parameter and its file in an error.
fn in_file<T>(
    parameter: &'static str,
    file: &Path,
    read: Result<T, FileError>,
) -> Result<T, PostgresError> {
    read.map_err(|source| PostgresError::Certificate { parameter, path: file.to_owned(), source })
}

fn authorities(file: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The certificates in a file, of which there is at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound.into()) } else { Ok(found) }
}

/// Checks as much of the server's certificate as `sslmode` says.
#[derive(Debug)]
struct ServerVerifier {
    /// Checks the authority and the name; `None` accepts every certificate, and does not parse it: rustls
    /// knows version 3 of X.509 alone.
    authorities: Option<Arc<dyn ServerCertVerifier>>,
    mode: SslMode,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The name is checked last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode < SslMode::VerifyFull => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.authorities.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.authorities.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Starts TLS on a connection.
#[derive(Clone)]
pub(super) struct RustlsConnect(pub(super) Arc<ClientConfig>);

/// Starts TLS on a connection to this host.
pub(super) struct RustlsConnectTo(TlsConnector, ServerName<'static>);

/// A connection with TLS.
pub(super) struct RustlsStream(tokio_rustls::client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for RustlsConnect {
    type Stream = RustlsStream;
    type TlsConnect = RustlsConnectTo;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        // The name of a socket's host is empty, and not used.
        let host = if host.is_empty() { "localhost" } else { host };
        let name = ServerName::try_from(host.to_owned())?;
        Ok(RustlsConnectTo(TlsConnector::from(Arc::clone(&self.0)), name))
    }
}

impl TlsConnect<Socket> for RustlsConnectTo {
    type Stream = RustlsStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<RustlsStream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { self.0.connect(self.1, socket).await.map(RustlsStream) })
    }
}

impl TlsStream for RustlsStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for RustlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for RustlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
