//! Honest people beside an attack.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::forms::{self, PASSWORD};
use super::service::Service;

/// The number of honest people beside each attack.
const PEOPLE: u32 = 40;
/// The interval between two of them.
const INTERVAL: Duration = Duration::from_millis(100);

/// The result of one person.
struct Person {
    status: u16,
    was_asked: bool,
    took: Duration,
}

/// The results of all people.
#[derive(Debug, Default)]
pub(crate) struct HonestResults {
    pub(crate) people: usize,
    pub(crate) created: usize,
    /// Those that were asked for a challenge, or to wait.
    pub(crate) asked: usize,
    /// The responses to the others.
    pub(crate) failures: BTreeSet<String>,
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
}

/// Honest people who sign up, each from an address of their own.
pub(crate) struct Honest(JoinSet<anyhow::Result<Person>>);

impl Honest {
    /// Starts one person after the other. They send a proof when asked for one, as `/signup.js`
    /// does.
    pub(crate) fn start(service: &Service) -> Self {
        let mut people = JoinSet::new();
        for n in 0..PEOPLE {
            let (client, address) = (service.client.clone(), service.address);
            people.spawn(async move {
                sleep(INTERVAL * n).await;
                let form = serde_json::json!({
                    "email": format!("honest{n}@example.com"), "password": PASSWORD,
                });
                let from = format!("198.51.100.{n}");
                let started_at = Instant::now();
                let mut status =
                    forms::post(&client, address, (from.clone(), form.clone())).await?;
                let was_asked = matches!(status, 403 | 429);
                if was_asked {
                    let proof = forms::proof(&client, address, &from).await?;
                    let form = forms::with(form, "altcha", &proof);
                    status = forms::post(&client, address, (from, form)).await?;
                }
                let took = started_at.elapsed();
                Ok(Person { status, was_asked, took })
            });
        }
        Self(people)
    }

    /// Nobody.
    pub(crate) fn none() -> Self {
        Self(JoinSet::new())
    }

    /// Waits for all of them.
    pub(crate) async fn finish(mut self) -> anyhow::Result<HonestResults> {
        let mut results = HonestResults::default();
        let mut times = Vec::new();
        while let Some(person) = self.0.join_next().await {
            results.people += 1;
            // A person whose connection failed did not get through.
            let person = match person? {
                Ok(person) => person,
                Err(error) => {
                    results.failures.insert(format!("{error:#}"));
                    continue;
                }
            };
            // 202 where new and known addresses get the same response.
            if matches!(person.status, 201 | 202) {
                results.created += 1;
            } else {
                results.failures.insert(format!("status {}", person.status));
            }
            results.asked += usize::from(person.was_asked);
            times.push(person.took);
        }
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied();
        results.p50 = at(50).unwrap_or_default();
        results.p95 = at(95).unwrap_or_default();
        Ok(results)
    }
}
