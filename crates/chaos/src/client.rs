//! A client that sends its sign-up until it knows the outcome.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::people::{ClientBehavior, ClientPlan, Person};

/// The maximum number of requests per client.
const TRIES: usize = 400;

/// The longest `Retry-After` that a client honours.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The range of pauses between two requests.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(400);

/// The same for a slow client: about as long as the reconciler takes.
const SLOW_PAUSE: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(9);

/// The range of times after which an impatient client hangs up.
const HANG_UP: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_millis(120);

/// The result of one request, as the client observes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// 201, with the user's id.
    Created(String),
    /// 409 `email_taken`.
    EmailTaken,
    /// A problem which says that nothing was created; its code.
    NotCreated(String),
    /// A problem which leaves the outcome open; its code.
    Unresolved(String),
    /// A response that no sign-up of this run should get.
    Unexpected(String),
    /// No response: the connection failed, or the client hung up.
    NoResponse(&'static str),
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(id) => write!(f, "created {id}"),
            Self::EmailTaken => f.write_str("email_taken"),
            Self::NotCreated(code) | Self::Unresolved(code) | Self::Unexpected(code) => {
                f.write_str(code)
            }
            Self::NoResponse(why) => f.write_str(why),
        }
    }
}

/// The requests of one client and their results.
#[derive(Debug, Clone)]
pub(crate) struct ClientHistory {
    /// The client's plan.
    pub(crate) plan: ClientPlan,
    /// Every result, with its time since the client started.
    pub(crate) observed: Vec<(Duration, Observed)>,
    /// Set if the service was killed meanwhile.
    pub(crate) killed: bool,
}

impl ClientHistory {
    /// The last result, ignoring missing responses.
    pub(crate) fn last(&self) -> Option<&Observed> {
        let mut observed = self.observed.iter().rev().map(|(_, observed)| observed);
        observed.find(|observed| !matches!(observed, Observed::NoResponse(_)))
    }
}

/// The state shared by all clients.
#[derive(Debug)]
pub(crate) struct ClientContext {
    /// Sends the requests.
    pub(crate) client: Client,
    /// The base URLs of the services.
    pub(crate) urls: Vec<String>,
    /// The number of requests sent.
    pub(crate) requests: AtomicU64,
    /// The number of clients started.
    pub(crate) started: AtomicU64,
    /// The number of kills.
    pub(crate) kills: AtomicU64,
    /// The time at which clients give up.
    pub(crate) deadline: Instant,
}

impl ClientContext {
    /// Signs the person up as the client described by `plan`.
    pub(crate) async fn sign_up(&self, person: &Person, plan: &ClientPlan) -> ClientHistory {
        let started_at = Instant::now();
        let kills = self.kills.load(Ordering::Relaxed);
        self.started.fetch_add(1, Ordering::Relaxed);
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let mut observed: Vec<(Duration, Observed)> = Vec::new();
        let mut hang_ups = match plan.behavior {
            ClientBehavior::HangsUp(times) => times,
            ClientBehavior::Abandons => 1,
            ClientBehavior::Patient | ClientBehavior::Slow | ClientBehavior::AcceptsFailure => 0,
        };
        while observed.len() < TRIES && Instant::now() < self.deadline {
            let (observed_now, wait) = if hang_ups > 0 {
                hang_ups -= 1;
                let request = self.send(person, plan, &mut rng);
                let hung_up = || (Observed::NoResponse("hung up"), None);
                timeout(rng.random_range(HANG_UP), request).await.unwrap_or_else(|_| hung_up())
            } else {
                self.send(person, plan, &mut rng).await
            };
            observed.push((started_at.elapsed(), observed_now.clone()));
            let done = match observed_now {
                Observed::Created(_) | Observed::EmailTaken | Observed::Unexpected(_) => true,
                Observed::NotCreated(_) if plan.behavior == ClientBehavior::AcceptsFailure => true,
                Observed::NotCreated(_) | Observed::Unresolved(_) | Observed::NoResponse(_) => {
                    plan.behavior == ClientBehavior::Abandons
                }
            };
            if done {
                break;
            }
            let slow = plan.behavior == ClientBehavior::Slow;
            let pause = rng.random_range(if slow { SLOW_PAUSE } else { PAUSE });
            sleep(wait.map_or(pause, |wait: Duration| wait.min(LONGEST_WAIT).max(pause))).await;
        }
        let killed = self.kills.load(Ordering::Relaxed) > kills;
        ClientHistory { plan: plan.clone(), observed, killed }
    }

    /// Sends one request. Returns its result and `Retry-After`.
    fn send(
        &self,
        person: &Person,
        plan: &ClientPlan,
        rng: &mut StdRng,
    ) -> impl Future<Output = (Observed, Option<Duration>)> + use<> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let url = self.urls.get(rng.random_range(0..self.urls.len())).map_or("", String::as_str);
        let form = json!({
            "email": person.email,
            "password": plan.password,
            "given_name": "Ada",
            "family_name": "Lovelace",
        });
        let mut request = self.client.post(format!("{url}/signup"));
        request = request.header("content-type", "application/json").body(form.to_string());
        if let Some(key) = &plan.key {
            request = request.header("idempotency-key", key);
        }
        observe(request)
    }
}

async fn observe(request: RequestBuilder) -> (Observed, Option<Duration>) {
    match request.send().await {
        Ok(response) => {
            let wait = retry_after(&response);
            let status = response.status().as_u16();
            match response.bytes().await {
                Ok(body) => (read(status, &body), wait),
                Err(_) => (Observed::NoResponse("response cut off"), None),
            }
        }
        Err(error) if error.is_connect() => (Observed::NoResponse("no connection"), None),
        Err(error) if error.is_timeout() => (Observed::NoResponse("timed out"), None),
        Err(_) => (Observed::NoResponse("connection lost"), None),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn read(status: u16, body: &[u8]) -> Observed {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let code = text("/code").to_owned();
    match (status, code.as_str()) {
        (201, _) => Observed::Created(text("/user/user_id").to_owned()),
        (409, "email_taken") => Observed::EmailTaken,
        (502, "upstream_rejected")
        | (503, "upstream_busy" | "unavailable")
        | (504, "upstream_unavailable") => Observed::NotCreated(code),
        (409, "idempotency_in_progress") | (408 | 429, _) | (504, "outcome_unknown") => {
            Observed::Unresolved(code)
        }
        _ => Observed::Unexpected(format!("{status} {body}")),
    }
}
