//! Observation of the tenant's certificates, for `auth0-signup doctor`.
//!
//! The verifier that the service uses decides; this one only records what it decides today, and what
//! it would decide on a later day. So the expiry of the whole chain is known, also through a proxy,
//! without a parser of certificates.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// 5,000 years, longer than any certificate is valid. Private authorities issue some that are valid for
/// 2,000 years.
const FAR: Duration = Duration::from_hours(24 * 365 * 5_000);

/// The result of the last handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainState {
    /// The chain is trusted. `expires_at` is the end of the first certificate in it that expires,
    /// since the Unix epoch, as far as it is known.
    Trusted {
        /// The end of its validity.
        expires_at: Option<Duration>,
    },
    /// The chain is not trusted.
    Rejected(ChainProblem),
}

/// The reason that a chain is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// A certificate has expired.
    #[error("a certificate has expired, or this machine's clock is wrong")]
    Expired,
    /// A certificate is not valid yet.
    #[error("a certificate is not valid yet, or this machine's clock is wrong")]
    NotYetValid,
    /// The certificate is for other names.
    #[error("the certificate is not for this host")]
    WrongName,
    /// No trusted authority signed it, or an intermediate certificate is missing.
    #[error(
        "no trusted authority signed the certificate: a proxy that inspects TLS needs its authority \
         in auth0.ca_file"
    )]
    UnknownIssuer,
    /// Another reason, in the words of the TLS library.
    #[error("the certificate is not accepted: {0}")]
    Other(String),
}

/// The certificates of one handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedHandshake {
    /// The host that the client called: the tenant, or a proxy on https.
    pub host: String,
    /// The result.
    pub state: ChainState,
}

/// The certificates of the last handshake. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ObservedChain(Arc<Mutex<Option<ObservedHandshake>>>);

impl ObservedChain {
    /// The last handshake; `None` before the first.
    pub(super) fn last(&self) -> Option<ObservedHandshake> {
        self.0.lock().clone()
    }

    /// Wraps the verifier that decides.
    pub(super) fn verifier(
        &self,
        inner: Arc<dyn ServerCertVerifier>,
    ) -> Arc<dyn ServerCertVerifier> {
        Arc::new(ObservingVerifier { inner, chain: self.clone() })
    }

    fn record(&self, handshake: ObservedHandshake) {
        *self.0.lock() = Some(handshake);
    }
}

#[derive(Debug)]
struct ObservingVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    chain: ObservedChain,
}

impl ServerCertVerifier for ObservingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |at: Duration| {
            let at = UnixTime::since_unix_epoch(at);
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
        };
        let now = Duration::from_secs(now.as_secs());
        let verified = verify(now);
        let state = match &verified {
            Ok(_) => ChainState::Trusted { expires_at: first_expiry(now, verify) },
            Err(error) => ChainState::Rejected(problem(error)),
        };
        self.chain.record(ObservedHandshake { host: server_name.to_str().into_owned(), state });
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Finds the end of the first certificate that expires. The verifier names one that has expired at
/// the given time; just before that end another one may have expired too.
fn first_expiry(
    now: Duration,
    verify: impl Fn(Duration) -> Result<ServerCertVerified, Error>,
) -> Option<Duration> {
    /// More certificates than a chain has.
    const MOST: usize = 8;
    let (mut at, mut expiry) = (now + FAR, None);
    for _ in 0..MOST {
        let Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) =
            verify(at)
        else {
            break;
        };
        let end = Duration::from_secs(not_after.as_secs());
        expiry = Some(end);
        at = end;
    }
    expiry
}

fn problem(error: &Error) -> ChainProblem {
    let Error::InvalidCertificate(error) = error else {
        return ChainProblem::Other(error.to_string());
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ChainProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ChainProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ChainProblem::WrongName
        }
        CertificateError::UnknownIssuer => ChainProblem::UnknownIssuer,
        other => ChainProblem::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_certificate_of_a_chain_that_expires_is_found() {
        // The verifier names the first of these that has expired.
        let ends = [900, 301, 700];
        let verify = |at: Duration| match ends.iter().find(|end| **end < at.as_secs()) {
            None => Ok(ServerCertVerified::assertion()),
            Some(end) => Err(CertificateError::ExpiredContext {
                time: UnixTime::since_unix_epoch(at),
                not_after: UnixTime::since_unix_epoch(Duration::from_secs(*end)),
            }
            .into()),
        };
        let expiry = first_expiry(Duration::from_secs(100), verify);
        assert_eq!(expiry, Some(Duration::from_secs(301)));
    }
}
