//! The errors of a captcha.

use super::super::proof::ProofError;

/// The reason why a token was not accepted.
#[derive(Debug)]
pub(in crate::abuse) enum CaptchaError {
    /// The token is not valid.
    Invalid(ProofError),
    /// The operator's secret or site key is wrong; this is the service's code.
    Misconfigured(&'static str),
    /// The service did not verify the token.
    Unavailable(ServiceError),
    /// Too many tokens are being verified at once. Not an error of the service: sending that many
    /// must not help a client past the captcha.
    Busy,
}

/// An error of a captcha service.
#[derive(Debug, thiserror::Error)]
pub(in crate::abuse) enum ServiceError {
    /// No connection, a broken one, or no response in time.
    #[error("no response from the captcha service")]
    Transport(#[source] reqwest::Error),
    /// A status that no verification returns.
    #[error("status {0} from the captcha service")]
    Status(u16),
    /// A response in another format.
    #[error("unrecognised response from the captcha service")]
    Unreadable,
    /// The service reports an internal failure.
    #[error("internal error of the captcha service")]
    Internal,
}
