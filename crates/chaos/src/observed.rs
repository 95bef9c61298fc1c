//! The result of one request, as the client observes it.

use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde_json::{Map, Value};

/// The result of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// 201, with the user in its body.
    Created(Map<String, Value>),
    /// 409 `email_taken`.
    EmailTaken,
    /// A problem which says that nothing was created; its code.
    NotCreated(String),
    /// A problem which leaves the outcome open; its code.
    Unresolved(String),
    /// A response that no sign-up of this run should get.
    Unexpected(String),
    /// The connection failed or ended before the response did.
    Lost(&'static str),
    /// The client hung up.
    HungUp,
}

impl Observed {
    /// Returns whether the client knows the outcome of its attempt now.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Created(_) | Self::EmailTaken | Self::NotCreated(_))
    }

    /// Returns whether there was no response.
    pub(crate) const fn is_missing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::HungUp)
    }

    /// The user's id in a 201; empty if it has none.
    pub(crate) fn created_id(&self) -> Option<&str> {
        match self {
            Self::Created(user) => {
                Some(user.get("user_id").and_then(Value::as_str).unwrap_or_default())
            }
            _ => None,
        }
    }

    /// The result in a word, for counts.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Created(_) => "created".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(_) => write!(f, "created {}", self.created_id().unwrap_or_default()),
            Self::EmailTaken => f.write_str("email_taken"),
            Self::NotCreated(code) | Self::Unresolved(code) | Self::Unexpected(code) => {
                f.write_str(code)
            }
            Self::Lost(why) => f.write_str(why),
            Self::HungUp => f.write_str("hung up"),
        }
    }
}

/// One result, with its circumstances.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    /// Its time since the client started.
    pub(crate) at: Duration,
    /// The time from the request to the result.
    pub(crate) took: Duration,
    /// Its time since the Unix epoch on the machine's clock, which is the tenant's too.
    pub(crate) received_at: Duration,
    /// The index of the service that got the request.
    pub(crate) replica: usize,
    /// The result.
    pub(crate) observed: Observed,
    /// The response's `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

impl Observation {
    /// Returns whether the response has to name a wait, and does not.
    pub(crate) fn lacks_retry_after(&self) -> bool {
        let (Observed::NotCreated(code) | Observed::Unresolved(code)) = &self.observed else {
            return false;
        };
        let retryable = ["upstream_busy", "unavailable", "idempotency_in_progress"];
        self.retry_after.is_none() && retryable.contains(&code.as_str())
    }
}

/// Sends the request. Returns its result and `Retry-After`.
pub(crate) async fn observe(request: RequestBuilder) -> (Observed, Option<Duration>) {
    match request.send().await {
        Ok(response) => {
            let wait = retry_after(&response);
            let status = response.status().as_u16();
            match response.bytes().await {
                Ok(body) => (read(status, &body), wait),
                Err(_) => (Observed::Lost("response cut off"), None),
            }
        }
        Err(error) if error.is_connect() => (Observed::Lost("no connection"), None),
        Err(_) => (Observed::Lost("connection lost"), None),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn read(status: u16, body: &[u8]) -> Observed {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = body.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    match (status, code.as_str()) {
        (201, _) => {
            let user = body.get("user").and_then(Value::as_object);
            Observed::Created(user.cloned().unwrap_or_default())
        }
        (409, "email_taken") => Observed::EmailTaken,
        (502, "upstream_rejected")
        | (503, "upstream_busy" | "unavailable")
        | (504, "upstream_unavailable") => Observed::NotCreated(code),
        (409, "idempotency_in_progress") | (408, _) | (504, "outcome_unknown") => {
            Observed::Unresolved(code)
        }
        _ => Observed::Unexpected(format!("{status} {body}")),
    }
}
