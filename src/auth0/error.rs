//! Errors of the upstream operations: who has to act, and whether the tenant may have acted.
//!
//! Each operation has its own type: [`CreateUserError`], [`LookupError`] and [`TokenError`]. They
//! share [`TransportError`], and Management API calls also share [`CallError`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Field, PasswordRule};

/// A part of the tenant, which has its own limit and its own shape of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/api/v2/…`
    Management,
    /// `/oauth/token`
    Token,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Management => "tenant",
            Self::Token => "token endpoint",
        })
    }
}

/// Error of a create-user call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateUserError {
    /// 409 `auth0_idp_error`: a user of the connection has the e-mail address.
    #[error("a user with that e-mail address exists")]
    EmailTaken,
    /// 400 or 409: a user of the connection has the username.
    #[error("a user with that username exists")]
    UsernameTaken,
    /// 400: Auth0 rejects the username, for its characters or its length.
    #[error("Auth0 rejects the username")]
    UsernameRejected,
    /// 400 `Password…Error`: the tenant's policy rejects the password.
    #[error("the tenant's policy rejects the password ({})", .0.code())]
    PasswordRejected(PasswordRule),
    /// 400 `invalid_body`: Auth0's schema rejects what this service's validation passed.
    #[error("Auth0 rejects the body of a sign-up that passed every validation rule")]
    InvalidBody,
    /// The operator has to change something. Nothing was created.
    #[error(transparent)]
    Misconfigured(#[from] Misconfiguration),
    /// 429, or no budget: nothing was created, and nothing will be before `retry_after`.
    #[error("the {api}'s rate limit is reached")]
    RateLimited {
        /// The part of the tenant whose limit it is.
        api: Api,
        /// The wait, by the tenant's own headers.
        retry_after: Duration,
    },
    /// The call certainly never reached the tenant: nothing was created.
    #[error("the create-user call was not sent")]
    NotSent(#[source] TransportError),
    /// The tenant may have acted on the call: timeout, reset, 5xx or an unreadable response.
    #[error("the tenant may or may not have created the user")]
    Ambiguous(#[source] TransportError),
}

/// Error of a user lookup. It says nothing about the user.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// The application lacks `read:users`; a retry does not help.
    #[error("the application lacks the scope read:users")]
    Forbidden,
    /// No usable response.
    #[error("the user lookup failed")]
    Failed(#[from] CallError),
}

/// Error of a request for a Management API token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The operator has to change something.
    #[error(transparent)]
    Misconfigured(#[from] Misconfiguration),
    /// 429, or the application's token quota is used up.
    #[error("the token endpoint's rate limit is reached")]
    RateLimited {
        /// The wait, by the tenant's own headers.
        retry_after: Duration,
    },
    /// A response that is not Auth0's: a moment of a proxy, or a wrong `auth0.domain`.
    #[error(transparent)]
    NotAuth0(Misconfiguration),
    /// No usable response.
    #[error("the token request failed")]
    Failed(#[source] TransportError),
    /// The first token request takes longer than a sign-up waits.
    #[error("the token request has not finished in time")]
    Pending,
}

/// Error that any call to the Management API can end with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The operator has to change something. The tenant did nothing.
    #[error(transparent)]
    Misconfigured(#[from] Misconfiguration),
    /// The budget or the token quota is used up, and nothing was sent; or the tenant responded so.
    #[error("the {api}'s rate limit is reached")]
    RateLimited {
        /// The part of the tenant whose limit it is.
        api: Api,
        /// The wait, by the tenant's own headers.
        retry_after: Duration,
    },
    /// No usable response.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// Failure between this service and the tenant.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// The request was certainly not written to a connection.
    #[error("no connection to the tenant")]
    NoConnection(#[source] Arc<reqwest::Error>),
    /// The request may have arrived, and no response came back.
    #[error("no response")]
    NoResponse(#[source] Arc<reqwest::Error>),
    /// A response whose status alone carries no result.
    #[error("a response with status {0}")]
    Status(u16),
    /// A response whose body does not match its status.
    #[error("an unreadable response with status {0}")]
    Unreadable(u16),
    /// The call was not sent, because there is no token.
    #[error("no Management API token")]
    NoToken(#[source] Arc<TokenError>),
    /// The call was not sent, because recent calls failed.
    #[error("the circuit breaker is open")]
    CircuitOpen {
        /// The wait until a call is tried again.
        retry_after: Duration,
    },
}

/// Error that only the operator can correct, in the words of the log.
///
/// A closed list instead of Auth0's own message, which may quote what the user typed. Each names the
/// setting to change, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misconfiguration {
    /// Token 401 `access_denied`.
    #[error(
        "Auth0 rejects the client id, or the application's secret or key (auth0.client_id, \
         auth0.client_secret)"
    )]
    Credentials,
    /// Token 403 `access_denied`, "Client is not authorized to access …".
    #[error(
        "the application is not authorised for the Management API: give auth0.client_id a client \
         grant with create:users and read:users"
    )]
    ClientGrant,
    /// Token 403 `access_denied`, "Service not enabled within domain …".
    #[error(
        "the tenant has no API with the identifier in auth0.audience: it is \
         https://<tenant>.<region>.auth0.com/api/v2/, with its trailing slash, never a custom domain"
    )]
    UnknownAudience,
    /// Token 403 `access_denied` with neither description.
    #[error(
        "the application is not authorised for the Management API, or auth0.audience is not its \
         identifier"
    )]
    Audience,
    /// Token 403 `unauthorized_client`.
    #[error(
        "the application may not use the client credentials grant: is auth0.client_id machine to \
         machine?"
    )]
    Grant,
    /// A fresh token is rejected: 401, or 400 `Bearer`.
    #[error("Auth0 rejects a fresh token: do auth0.domain and auth0.audience belong together?")]
    TokenRejected,
    /// 403 `insufficient_scope`.
    #[error("the application lacks the scope create:users on the Management API (auth0.client_id)")]
    Scope,
    /// 403 with a code of the plan's limits.
    #[error("the tenant's plan does not allow it ({code})")]
    Plan {
        /// Auth0's error code.
        code: ErrorCode,
    },
    /// 4xx "Sandbox error": code of the tenant's own denied the user, or failed.
    #[error(
        "an Action or a script of the custom database rejects this sign-up: the tenant's log has the \
         reason"
    )]
    Script,
    /// 400 or 404: the connection does not exist, is disabled or is not a database.
    #[error("the connection {problem} (auth0.connection)")]
    Connection {
        /// Completes the sentence "the connection …".
        problem: &'static str,
    },
    /// 400: the connection requires an attribute that was not sent.
    #[error("the connection requires a {0}: set fields.{0} = \"required\"")]
    AttributeRequired(Field),
    /// 400: the connection has no attribute of this name.
    #[error("the connection accepts no {0}: set fields.{0} = \"off\"")]
    AttributeNotAccepted(Field),
    /// 409 `custom_domain_conflict`.
    #[error("the tenant has several verified custom domains: set auth0.custom_domain")]
    CustomDomain,
    /// 400: `auth0-custom-domain` names no verified custom domain.
    #[error("auth0.custom_domain is not a verified custom domain of the tenant")]
    UnknownCustomDomain,
    /// A redirect, which no API of a tenant sends.
    #[error("a redirect with status {status} to {host}: is auth0.domain the tenant's?")]
    Redirect {
        /// The status.
        status: u16,
        /// The host of the target.
        host: Box<str>,
    },
    /// A response that something else sends in Auth0's place.
    #[error(
        "a response with status {status} that is not Auth0's: is auth0.domain the tenant's, or does \
         a proxy respond in its place?"
    )]
    NotAuth0 {
        /// The status.
        status: u16,
    },
    /// A response of Auth0 that its documentation does not list.
    #[error("an undocumented response with status {status} ({code})")]
    Unknown {
        /// The status.
        status: u16,
        /// Auth0's error code.
        code: ErrorCode,
    },
}

/// Auth0's `errorCode`, kept only if it looks like one, so that nothing else gets into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(Box<str>);

impl ErrorCode {
    /// The code if it looks like one, else "no code".
    pub fn new(code: Option<&str>) -> Self {
        Self(code.filter(|code| Self::looks_like_a_code(code)).unwrap_or("no code").into())
    }

    /// Returns whether a text has the form of a code.
    pub(super) fn looks_like_a_code(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CreateUserError {
    /// The label of metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::EmailTaken => "user_exists",
            Self::UsernameTaken => "username_exists",
            Self::UsernameRejected => "username_rejected",
            Self::PasswordRejected(_) => "password_rejected",
            Self::InvalidBody => "invalid_body",
            Self::Misconfigured(_) => "misconfigured",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotSent(_) => "not_sent",
            Self::Ambiguous(_) => "ambiguous",
        }
    }
}

impl LookupError {
    /// The label of metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Failed(_) => "failed",
        }
    }
}

impl TokenError {
    /// The label of metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Misconfigured(_) => "misconfigured",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotAuth0(_) | Self::Failed(_) | Self::Pending => "failed",
        }
    }
}

impl CallError {
    /// Returns whether the same call may succeed a moment later.
    pub const fn is_temporary(&self) -> bool {
        match self {
            // A call without room has already waited.
            Self::Misconfigured(_) | Self::RateLimited { .. } => false,
            Self::Transport(error) => match error {
                TransportError::NoConnection(_)
                | TransportError::NoResponse(_)
                | TransportError::Unreadable(_)
                // Without a reason of the API, 403 and 404 are those of the network in front of it.
                | TransportError::Status(403 | 404 | 408 | 425 | 500..) => true,
                TransportError::Status(_)
                | TransportError::NoToken(_)
                | TransportError::CircuitOpen { .. } => false,
            },
        }
    }
}

impl TransportError {
    /// Returns whether the tenant may still be working on the request: no response came, or one that
    /// a proxy in front of it sends when it waits no longer.
    pub const fn may_still_run(&self) -> bool {
        match self {
            Self::NoResponse(_) => true,
            Self::Status(status) => !matches!(status, 500 | 501),
            Self::NoConnection(_)
            | Self::Unreadable(_)
            | Self::NoToken(_)
            | Self::CircuitOpen { .. } => false,
        }
    }

    /// Returns whether the request certainly never reached the tenant.
    pub(super) const fn is_unsent(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::NoToken(_) | Self::CircuitOpen { .. } => true,
            Self::NoResponse(_) | Self::Status(_) | Self::Unreadable(_) => false,
        }
    }
}

impl From<CallError> for CreateUserError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Misconfigured(reason) => Self::Misconfigured(reason),
            CallError::RateLimited { api, retry_after } => Self::RateLimited { api, retry_after },
            CallError::Transport(error) if error.is_unsent() => Self::NotSent(error),
            CallError::Transport(error) => Self::Ambiguous(error),
        }
    }
}

impl From<TransportError> for LookupError {
    fn from(error: TransportError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TokenError> for CallError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Misconfigured(reason) => Self::Misconfigured(reason),
            TokenError::RateLimited { retry_after } => {
                Self::RateLimited { api: Api::Token, retry_after }
            }
            TokenError::NotAuth0(_) | TokenError::Failed(_) | TokenError::Pending => {
                Self::Transport(TransportError::NoToken(Arc::new(error)))
            }
        }
    }
}

impl From<reqwest::Error> for TransportError {
    /// Only a failed connect, and hyper's own statement that it dropped the request before writing
    /// it, prove that nothing was sent. A peer that closes unread and one that reads the whole
    /// request and then closes look alike.
    fn from(error: reqwest::Error) -> Self {
        let unsent = error.is_connect() || error.is_builder() || was_canceled(&error);
        let error = Arc::new(error.without_url());
        if unsent { Self::NoConnection(error) } else { Self::NoResponse(error) }
    }
}

/// Returns whether hyper dropped the request before writing it.
fn was_canceled(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        source = error.source();
    }
    false
}
