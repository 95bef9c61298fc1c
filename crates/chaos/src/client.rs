//! A client that sends its sign-up until it knows the outcome.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use auth0_emulator::DEFAULT_CONNECTION;
use auth0_signup::clock::{Clock as _, SystemClock};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::observed::{Observation, Observed, observe};
use super::people::{ClientBehavior, ClientPlan, Person, Profile};
use super::progress::Progress;
use super::recovery::Recoveries;

/// The maximum number of requests per client.
const TRIES: usize = 400;

/// The longest `Retry-After` that a client honours.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The range of pauses between two requests.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(400);

/// The same for a slow client: about as long as the reconciler takes.
const SLOW_PAUSE: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(9);

/// The same after a lost connection, for every client.
const LOST_PAUSE: std::ops::Range<Duration> =
    Duration::from_millis(100)..Duration::from_millis(200);

/// The range of times that a patient client waits for a response, as proxies and browsers do.
const PATIENCE: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(15);

/// The time after which an impatient client hangs up: from 2⁰ ms, when nothing is sent yet, to
/// 2¹³·⁵ ms, beyond the longest attempt. Every stage of an attempt gets its share, the short ones
/// at its start too.
const HANG_UP_MS_LOG2: std::ops::Range<f64> = 0.0..13.5;

/// The requests of one client and their results.
#[derive(Debug, Clone)]
pub(crate) struct ClientHistory {
    /// The client's plan.
    pub(crate) plan: ClientPlan,
    /// The time of its start.
    pub(crate) started_at: Instant,
    /// Every result.
    pub(crate) observed: Vec<Observation>,
}

impl ClientHistory {
    /// The last result, ignoring missing responses.
    pub(crate) fn last(&self) -> Option<&Observed> {
        let mut observed = self.observed.iter().rev().map(|observation| &observation.observed);
        observed.find(|observed| !observed.is_missing())
    }
}

/// The state shared by all clients.
#[derive(Debug)]
pub(crate) struct ClientContext {
    /// Sends the requests.
    pub(crate) client: Client,
    /// The base URLs of the services.
    pub(crate) urls: Vec<String>,
    /// The base URL of the tenant.
    pub(crate) tenant: String,
    /// The number of requests sent.
    pub(crate) requests: AtomicU64,
    /// The clients that have started and ended.
    pub(crate) progress: Progress,
    /// The kills and the time until clients recovered.
    pub(crate) recoveries: Recoveries,
    /// The time at which clients give up.
    pub(crate) deadline: Instant,
}

impl ClientContext {
    /// Signs the person up as the client described by `plan`.
    pub(crate) async fn sign_up(&self, person: &Person, plan: &ClientPlan) -> ClientHistory {
        let started_at = Instant::now();
        let number = self.progress.start(started_at);
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let mut observed = Vec::new();
        let mut hang_ups = match plan.behavior {
            ClientBehavior::HangsUp(times) => times,
            ClientBehavior::Abandons => 1,
            ClientBehavior::Patient | ClientBehavior::Slow | ClientBehavior::AcceptsFailure => 0,
        };
        let mut replica = rng.random_range(0..self.urls.len());
        let mut killed_at = None;
        while observed.len() < TRIES && Instant::now() < self.deadline {
            let sent_at = Instant::now();
            let patience = if hang_ups > 0 {
                hang_ups -= 1;
                Duration::from_secs_f64(rng.random_range(HANG_UP_MS_LOG2).exp2() / 1000.0)
            } else {
                rng.random_range(PATIENCE)
            };
            let request = timeout(patience, self.send(person, plan, replica));
            let hung_up = (Observed::HungUp, None);
            let (result, retry_after) = request.await.unwrap_or(hung_up);
            observed.push(Observation {
                at: started_at.elapsed(),
                took: sent_at.elapsed(),
                received_at: SystemClock.now(),
                replica,
                observed: result.clone(),
                retry_after,
            });
            if matches!(result, Observed::Lost(_)) {
                killed_at = self.recoveries.killed_since(replica, sent_at).or(killed_at);
            } else if result.is_final()
                && let Some(killed_at) = killed_at.take()
            {
                self.recoveries.finish(killed_at);
            }
            if is_done(&result, plan.behavior) {
                break;
            }
            sleep(pause(&result, retry_after, plan.behavior, &mut rng)).await;
            replica = self.next_replica(replica, &result, &mut rng);
        }
        if killed_at.is_some() && plan.behavior != ClientBehavior::Abandons {
            self.recoveries.give_up();
        }
        self.progress.end(number);
        ClientHistory { plan: plan.clone(), started_at, observed }
    }

    /// Registers the address at the tenant directly, as somebody who does not use the service.
    pub(crate) async fn register_at_tenant(
        &self,
        email: &str,
        profile: &Profile,
    ) -> anyhow::Result<()> {
        let mut form = form(email, profile);
        if let Some(members) = form.as_object_mut() {
            members.insert("connection".to_owned(), DEFAULT_CONNECTION.into());
        }
        let request = self.client.post(format!("{}/dbconnections/signup", self.tenant));
        let request = request.header("content-type", "application/json").body(form.to_string());
        let status = request.send().await?.status();
        ensure!(status.is_success(), "the tenant responded {status} to a registration");
        Ok(())
    }

    /// Sends one request. Returns its result and `Retry-After`.
    fn send(
        &self,
        person: &Person,
        plan: &ClientPlan,
        replica: usize,
    ) -> impl Future<Output = (Observed, Option<Duration>)> + use<> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let url = self.urls.get(replica).map_or("", String::as_str);
        let form = form(&person.email, &plan.profile);
        let mut request = self.client.post(format!("{url}/signup"));
        request = request.header("content-type", "application/json").body(form.to_string());
        if let Some(key) = &plan.key {
            request = request.header("idempotency-key", key);
        }
        observe(request)
    }

    /// The service for the next request: any one, but not the one that was just lost.
    fn next_replica(&self, last: usize, result: &Observed, rng: &mut StdRng) -> usize {
        let all = self.urls.len();
        match result {
            Observed::Lost(_) if all > 1 => (last + rng.random_range(1..all)) % all,
            _ => rng.random_range(0..all),
        }
    }
}

fn form(email: &str, profile: &Profile) -> Value {
    json!({
        "email": email,
        "password": profile.password,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
    })
}

/// Returns whether the client sends no further request.
const fn is_done(result: &Observed, behavior: ClientBehavior) -> bool {
    match result {
        Observed::Created(_) | Observed::EmailTaken | Observed::Unexpected(_) => true,
        Observed::NotCreated(_) => {
            matches!(behavior, ClientBehavior::AcceptsFailure | ClientBehavior::Abandons)
        }
        Observed::Unresolved(_) | Observed::Lost(_) | Observed::HungUp => {
            matches!(behavior, ClientBehavior::Abandons)
        }
    }
}

/// The pause before the next request.
fn pause(
    result: &Observed,
    retry_after: Option<Duration>,
    behavior: ClientBehavior,
    rng: &mut StdRng,
) -> Duration {
    let range = match result {
        Observed::Lost(_) => LOST_PAUSE,
        _ if behavior == ClientBehavior::Slow => SLOW_PAUSE,
        _ => PAUSE,
    };
    let pause = rng.random_range(range);
    retry_after.map_or(pause, |wait| wait.min(LONGEST_WAIT).max(pause))
}
