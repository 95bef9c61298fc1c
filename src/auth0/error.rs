//! What can come of a call to the tenant: whose fault it is, and whether the tenant may have acted.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::PasswordRule;

/// Why a create-user call created no user that is known of.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// 409 `auth0_idp_error`: the e-mail address belongs to a user of the connection.
    #[error("a user with that e-mail address exists")]
    UserExists,
    /// 400: the username belongs to a user of the connection.
    #[error("a user with that username exists")]
    UsernameExists,
    /// 400 `Password…Error`: the tenant's policy refuses the password.
    #[error("the tenant's policy refuses the password ({})", .0.code())]
    PasswordRefused(PasswordRule),
    /// 400 `invalid_body`: the tenant's schema refuses what this service's validation passed.
    #[error("Auth0 refuses the body of a sign-up that met every rule")]
    InvalidBody,
    /// Something only the operator can mend. Nothing was created.
    #[error(transparent)]
    Misconfigured(#[from] Misconfiguration),
    /// 429: nothing was created, and nothing will be before `retry_after`.
    #[error("the tenant's rate limit is reached")]
    RateLimited {
        /// How long to wait, by the tenant's own headers.
        retry_after: Duration,
    },
    /// The call surely never reached the tenant: nothing was created.
    #[error("the tenant cannot be reached")]
    NotSent(#[source] Arc<Transport>),
    /// The call may have been acted on: time-out, reset, 5xx or an answer that cannot be read.
    #[error("the tenant may or may not have created the user")]
    Ambiguous(#[source] Arc<Transport>),
}

/// What went wrong between this service and the tenant.
#[derive(Debug, thiserror::Error)]
pub enum Transport {
    /// No usable answer.
    #[error("no answer")]
    Http(#[source] reqwest::Error),
    /// An answer of this status, which says nothing more.
    #[error("an answer with status {0}")]
    Status(u16),
    /// An answer whose body is not what its status promises.
    #[error("an answer with status {0} that cannot be read")]
    Unreadable(u16),
    /// No answer that this process knows of: it was an earlier one that asked.
    #[error("an earlier attempt was left open")]
    PreviousAttempt,
    /// An attempt that took longer than it may in all.
    #[error("the attempt took too long")]
    OutOfTime,
    /// No token within the time that a sign-up waits for one.
    #[error("no token in time")]
    NoToken,
    /// The last calls failed, so this one was not tried.
    #[error("not tried, since the last calls failed")]
    CircuitOpen {
        /// How long until a call is tried again.
        retry_after: Duration,
    },
}

/// What the operator has to mend, in the words of the log.
///
/// A closed list instead of Auth0's own message, which may quote what the person typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misconfiguration {
    /// Token 401 `access_denied`.
    #[error("Auth0 refuses the client id or the client secret")]
    Credentials,
    /// Token 403 `access_denied`.
    #[error(
        "the application is not authorised for the Management API, or auth0.audience is not its \
         identifier"
    )]
    Audience,
    /// Token 403 `unauthorized_client`.
    #[error("the application may not use the client credentials grant: is it machine to machine?")]
    Grant,
    /// A token just fetched is refused: 401, or 400 `Bearer`.
    #[error("Auth0 refuses a fresh token: do auth0.domain and auth0.audience belong together?")]
    TokenRefused,
    /// 403 `insufficient_scope`.
    #[error("the application lacks the scope create:users on the Management API")]
    Scope,
    /// 403 for anything else: a limit of the plan.
    #[error("the tenant's plan does not allow it ({code})")]
    Plan {
        /// Auth0's error code.
        code: ErrorCode,
    },
    /// 400: no such connection, or not one that can take this user.
    #[error("the connection {problem}")]
    Connection {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// 409 `custom_domain_conflict`.
    #[error("the tenant has several verified custom domains: set auth0.custom_domain")]
    CustomDomain,
    /// An answer that Auth0's documents do not name.
    #[error("an answer with status {status} ({code}) that is not known")]
    Unknown {
        /// The status.
        status: u16,
        /// Auth0's error code.
        code: ErrorCode,
    },
}

/// Auth0's `errorCode`, cut to what a code looks like so that nothing else gets into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(Box<str>);

impl ErrorCode {
    /// The code if it looks like one, else "no code".
    pub fn new(code: Option<&str>) -> Self {
        let looks_like_a_code = |code: &&str| {
            (1..=64).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        Self(code.filter(looks_like_a_code).unwrap_or("no code").into())
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error {
    /// The label of metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::UserExists => "user_exists",
            Self::UsernameExists => "username_exists",
            Self::PasswordRefused(_) => "password_refused",
            Self::InvalidBody => "invalid_body",
            Self::Misconfigured(_) => "misconfigured",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotSent(_) => "not_sent",
            Self::Ambiguous(_) => "unclear",
        }
    }
}

/// Sorts a transport failure by whether the request can have reached the tenant.
///
/// Only a failed connect, and hyper's own statement that it dropped the request before writing it,
/// prove that it did not; a peer that closes unread and one that reads all and closes look alike.
pub(super) fn transport(error: reqwest::Error) -> Error {
    let sent = !error.is_connect() && !error.is_builder() && !was_canceled(&error);
    let transport = Arc::new(Transport::Http(error.without_url()));
    if sent { Error::Ambiguous(transport) } else { Error::NotSent(transport) }
}

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
