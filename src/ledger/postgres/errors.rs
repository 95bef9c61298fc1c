//! The errors of calls, classed by what may help.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{WasNull, WrongType};

use crate::ledger::{Closed, LedgerError, OpenError};

/// A call without a result.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server or the driver reported an error.
    #[error("PostgreSQL reported an error")]
    Server(#[from] Error),
    /// No reply came in time.
    #[error("PostgreSQL did not reply within {} ms", .0.as_millis())]
    Silent(Duration),
    /// TLS cannot be set up.
    #[error("TLS to PostgreSQL cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The file of a certificate or a key cannot be read, or has none.
    #[error("the file of `{parameter}` cannot be used: {}", .path.display())]
    Certificate {
        /// The parameter of the URL that names it.
        parameter: &'static str,
        /// Its path.
        path: PathBuf,
        /// The error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The URL in the settings, or in its file, is invalid.
    #[error("database.url: expected {0}")]
    Url(#[from] crate::config::UrlError),
    /// Another program has tables with the names of ours.
    #[error(
        "the database has tables of another program ({0}); name another database, or a schema of its \
         own with the parameter `options=-csearch_path=NAME`"
    )]
    Foreign(String),
    /// It was not this process's turn to migrate in time.
    #[error("another process migrates the database")]
    OtherMigrates,
    /// No connection could be opened. Calls share the error for a moment.
    #[error(transparent)]
    Rejected(Arc<Self>),
    /// The ledger was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// The remedy for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// Another connection. The statement may have been executed.
    Connection,
    /// The same statement again. It was rolled back.
    Transient,
    /// None: the server rejects the statement.
    Statement,
}

impl PostgresError {
    /// The error of the server or the driver.
    fn server(&self) -> Option<&Error> {
        match self {
            Self::Server(error) => Some(error),
            Self::Rejected(error) => error.server(),
            _ => None,
        }
    }

    /// Classes the error by its SQLSTATE.
    pub(super) fn class(&self) -> ErrorClass {
        let error = match self {
            Self::Server(error) => error,
            Self::Foreign(_) => return ErrorClass::Statement,
            Self::Rejected(error) => return error.class(),
            Self::OtherMigrates => return ErrorClass::Transient,
            Self::Silent(_)
            | Self::Tls(_)
            | Self::Certificate { .. }
            | Self::Url(_)
            | Self::Closed(_) => return ErrorClass::Connection,
        };
        let Some(code) = error.code().map(SqlState::code) else {
            // Not from the server: the connection is broken, unless a value was of another type.
            let is_of_value = error
                .source()
                .is_some_and(|cause| cause.is::<WrongType>() || cause.is::<WasNull>());
            return if is_of_value { ErrorClass::Statement } else { ErrorClass::Connection };
        };
        match code {
            // A server becomes read-only when another one takes over. A session was idle. A transaction took
            // longer than the server allows.
            "25006" | "25P03" | "25P04" => ErrorClass::Connection,
            // A lock or a statement timeout, and a table that was changed meanwhile.
            "55P03" | "57014" | "0A000" => ErrorClass::Transient,
            _ => match code.get(..2) {
                // The connection, its rights, a lack of slots, memory or space, its database, a
                // shutdown.
                Some("08" | "28" | "53" | "3D" | "57") => ErrorClass::Connection,
                // A deadlock or a conflict.
                Some("40") => ErrorClass::Transient,
                _ => ErrorClass::Statement,
            },
        }
    }

    /// Returns whether the server rejects the user, the password or the database's name, or asks for a
    /// password that the URL does not have.
    pub fn is_rejected_login(&self) -> bool {
        let Some(error) = self.server() else { return false };
        let Some(state) = error.code() else {
            // Found by the driver, which has no type for it.
            return error.source().is_some_and(|cause| cause.to_string() == "password missing");
        };
        // The classes: invalid authorization, invalid catalog name.
        matches!(state.code().get(..2), Some("28" | "3D"))
            || error.as_db_error().is_some_and(|error| {
                error.code() == &SqlState::PROTOCOL_VIOLATION && names_login(error.message())
            })
    }

    /// Returns whether the server has no TLS, or rustls rejects it. A connection that breaks meanwhile is
    /// another error.
    pub fn is_failed_tls(&self) -> bool {
        let Some(error) = self.server() else { return false };
        // The driver has no type for the first.
        error.source().is_some_and(|cause| {
            cause.to_string() == "server does not support TLS"
                || cause.downcast_ref::<io::Error>().is_some_and(is_of_rustls)
        })
    }

    /// Returns whether a server was reached.
    pub(super) fn has_reached_server(&self) -> bool {
        self.is_from_server() || self.is_rejected_login() || self.is_failed_tls()
    }

    /// Returns whether the user lacks a right that the statement needs.
    pub fn is_denied(&self) -> bool {
        self.is(SqlState::INSUFFICIENT_PRIVILEGE.code())
    }

    /// Returns whether a pooler gives each statement another session, and so allows no transactions.
    pub fn is_statement_pooling(&self) -> bool {
        // PgBouncer has one code for everything that it rejects, such as a server that starts.
        let Some(error) = self.server() else { return false };
        error.as_db_error().is_some_and(|error| error.message().contains("statement pooling"))
    }

    /// Returns whether the server was reached and reported an error.
    pub fn is_from_server(&self) -> bool {
        self.server().is_some_and(|error| error.code().is_some())
    }

    /// Returns whether the server has ended the statement: after a timeout, or on request.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is(SqlState::QUERY_CANCELED.code()) || self.is(SqlState::LOCK_NOT_AVAILABLE.code())
    }

    /// Returns whether the server reported this SQLSTATE.
    pub(super) fn is(&self, code: &str) -> bool {
        self.server().and_then(Error::code).is_some_and(|state| state.code() == code)
    }
}

/// Returns whether a message of PgBouncer 1.18, which has one code for everything that it rejects, is about the
/// user, the password or the database.
fn names_login(message: &str) -> bool {
    message.ends_with("authentication failed")
        || message.starts_with("no such database")
        || (message.starts_with("database ") && message.ends_with(" does not exist"))
}

fn is_of_rustls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

impl From<PostgresError> for LedgerError {
    fn from(error: PostgresError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

impl From<PostgresError> for OpenError {
    fn from(error: PostgresError) -> Self {
        LedgerError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From PgBouncer 1.18.
    #[test]
    fn a_poolers_messages_about_a_login_are_recognised() {
        for (message, names) in [
            ("password authentication failed", true),
            ("SASL authentication failed", true),
            ("\"trust\" authentication failed", true),
            ("no such database: signup", true),
            ("database \"signup\" does not exist", true),
            ("unsupported startup parameter: options", false),
            ("no more connections allowed (max_client_conn)", false),
            ("server login has been failing, try again later", false),
            ("transaction blocks not allowed in statement pooling mode", false),
        ] {
            assert_eq!(names_login(message), names, "{message}");
        }
    }
}
