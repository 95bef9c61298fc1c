//! One client: sends its sign-up until it knows what came of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::crowd::{Manner, Person, Plan};

/// How often a client asks at most.
const TRIES: usize = 400;

/// The longest wait that a client is talked into.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The wait before a client asks again.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(400);

/// The wait of a slow one: about as long as the settler takes.
const SLOW_PAUSE: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(9);

/// When a client that hangs up does so.
const HANG_UP: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_millis(120);

/// What a client hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// 201, with the user's id.
    Created(String),
    /// 409 `email_taken`.
    Taken,
    /// Surely nothing was created; the problem's code.
    Nothing(String),
    /// Not known yet; the problem's code.
    NotKnown(String),
    /// An answer that no sign-up of this run can deserve.
    Odd(String),
    /// No answer: the connection failed, or the client hung up.
    Silence(&'static str),
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(id) => write!(f, "created {id}"),
            Self::Taken => f.write_str("email_taken"),
            Self::Nothing(code) | Self::NotKnown(code) | Self::Odd(code) => f.write_str(code),
            Self::Silence(why) => f.write_str(why),
        }
    }
}

/// What a client went through.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// What it meant to do.
    pub(crate) plan: Plan,
    /// Every answer, and when it came after the client began.
    pub(crate) heard: Vec<(Duration, Heard)>,
    /// Whether the service was killed meanwhile.
    pub(crate) killed: bool,
}

impl Story {
    /// What it heard last, silence not counted.
    pub(crate) fn last(&self) -> Option<&Heard> {
        let mut heard = self.heard.iter().rev().map(|(_, heard)| heard);
        heard.find(|heard| !matches!(heard, Heard::Silence(_)))
    }
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct World {
    /// Sends their requests.
    pub(crate) client: Client,
    /// Where the services listen.
    pub(crate) urls: Vec<String>,
    /// How many requests were sent.
    pub(crate) requests: AtomicU64,
    /// How many clients have begun.
    pub(crate) begun: AtomicU64,
    /// How many kills there were.
    pub(crate) kills: AtomicU64,
    /// When clients give up waiting.
    pub(crate) deadline: Instant,
}

impl World {
    /// Signs the person up as one of their clients.
    pub(crate) async fn sign_up(&self, person: &Person, plan: &Plan) -> Story {
        let began = Instant::now();
        let kills = self.kills.load(Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let mut heard: Vec<(Duration, Heard)> = Vec::new();
        let mut patience = match plan.manner {
            Manner::HangsUp(times) => times,
            Manner::Leaves => 1,
            Manner::Patient | Manner::Slow | Manner::GivesUp => 0,
        };
        while heard.len() < TRIES && Instant::now() < self.deadline {
            let (answer, wait) = if patience > 0 {
                patience -= 1;
                let request = self.ask(person, plan, &mut rng);
                let hung_up = || (Heard::Silence("hung up"), None);
                timeout(rng.random_range(HANG_UP), request).await.unwrap_or_else(|_| hung_up())
            } else {
                self.ask(person, plan, &mut rng).await
            };
            heard.push((began.elapsed(), answer.clone()));
            let done = match answer {
                Heard::Created(_) | Heard::Taken | Heard::Odd(_) => true,
                Heard::Nothing(_) if plan.manner == Manner::GivesUp => true,
                Heard::Nothing(_) | Heard::NotKnown(_) | Heard::Silence(_) => {
                    plan.manner == Manner::Leaves
                }
            };
            if done {
                break;
            }
            let slow = plan.manner == Manner::Slow;
            let pause = rng.random_range(if slow { SLOW_PAUSE } else { PAUSE });
            sleep(wait.map_or(pause, |wait: Duration| wait.min(LONGEST_WAIT).max(pause))).await;
        }
        let killed = self.kills.load(Ordering::Relaxed) > kills;
        Story { plan: plan.clone(), heard, killed }
    }

    /// Asks once: the answer, and how long to wait before the next.
    fn ask(
        &self,
        person: &Person,
        plan: &Plan,
        rng: &mut StdRng,
    ) -> impl Future<Output = (Heard, Option<Duration>)> + use<> {
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
        answer(request)
    }
}

async fn answer(request: RequestBuilder) -> (Heard, Option<Duration>) {
    match request.send().await {
        Ok(response) => {
            let wait = retry_after(&response);
            let status = response.status().as_u16();
            match response.bytes().await {
                Ok(body) => (read(status, &body), wait),
                Err(_) => (Heard::Silence("answer cut off"), None),
            }
        }
        Err(error) if error.is_connect() => (Heard::Silence("no connection"), None),
        Err(error) if error.is_timeout() => (Heard::Silence("timed out"), None),
        Err(_) => (Heard::Silence("connection lost"), None),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn read(status: u16, body: &[u8]) -> Heard {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let code = text("/code").to_owned();
    match (status, code.as_str()) {
        (201, _) => Heard::Created(text("/user/user_id").to_owned()),
        (409, "email_taken") => Heard::Taken,
        (502, "upstream_rejected")
        | (503, "upstream_busy" | "unavailable")
        | (504, "upstream_unavailable") => Heard::Nothing(code),
        (409, "idempotency_in_progress") | (408 | 429, _) | (504, "outcome_unknown") => {
            Heard::NotKnown(code)
        }
        _ => Heard::Odd(format!("{status} {body}")),
    }
}
