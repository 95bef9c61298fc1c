//! The table of results, and the bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::honest::Honest;
use super::service::Service;

/// The most resident memory of the service, in MB.
const MEMORY: u64 = 96;

/// The most bytes of log that one source causes in one attack.
const LOG: usize = 1_000_000;

/// The bounds of one attack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The most create calls that reach the tenant.
    pub(crate) reached: usize,
    /// The most bytes of log.
    pub(crate) log: usize,
    /// Honest people may be asked for a proof: the attack comes from many networks.
    pub(crate) may_ask: bool,
}

impl Bounds {
    /// The bounds of an attack from one network, of whose calls this many may reach the tenant.
    pub(crate) const fn of_one_network(reached: usize) -> Self {
        Self { reached, log: LOG, may_ask: false }
    }

    /// The bounds of an attack from many networks with this many requests.
    pub(crate) const fn of_many_networks(reached: usize, requests: usize) -> Self {
        Self { reached, log: LOG + requests * 500, may_ask: true }
    }
}

/// The log once it holds this many sign-ups, or as it is after some seconds, and their number.
async fn complete_log(service: &Service, created: usize) -> anyhow::Result<(String, usize)> {
    let mut tries = 0;
    loop {
        let log = service.log()?;
        let logged = log.lines().filter(|line| line.contains("\"outcome\":\"created\"")).count();
        if logged >= created || tries == 50 {
            return Ok((log, logged));
        }
        tries += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Collects and prints the results.
#[derive(Debug)]
pub(crate) struct Report {
    only: Option<String>,
    broken: usize,
}

impl Report {
    /// A report on all attacks, or on those whose name contains `only`.
    pub(crate) const fn new(only: Option<String>) -> Self {
        Self { only, broken: 0 }
    }

    /// Prints the head of the table.
    pub(crate) fn print_head() {
        println!(
            "| attack | responses | reached Auth0 | honest: 201 or 202, asked, p50, p95 | MB | log kB |"
        );
        println!("|---|---|---|---|---|---|");
    }

    /// Returns whether this attack is to run.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// Prints the row of an attack, and checks its bounds.
    pub(crate) async fn row(
        &mut self,
        name: &str,
        service: Service,
        responses: &BTreeMap<u16, usize>,
        honest: Honest,
        bounds: Bounds,
    ) -> anyhow::Result<()> {
        let honest = honest.finish().await?;
        let reached = service.reached_tenant();
        let memory = service.peak_memory()?;
        let created = responses.get(&201).copied().unwrap_or_default() + honest.created;
        let (log, logged) = complete_log(&service, created).await?;
        let statuses: Vec<_> =
            responses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        println!(
            "| {name} | {} | {reached} | {} of {}, {}, {:.0?}, {:.0?} | {memory} | {} |",
            statuses.join(", "),
            honest.created,
            honest.people,
            honest.asked,
            honest.p50,
            honest.p95,
            log.len() / 1_000,
        );
        let checks = [
            (honest.created == honest.people, "an honest person did not get through"),
            (honest.asked == 0 || bounds.may_ask, "an honest person was asked for a challenge"),
            (reached <= bounds.reached, "too many calls reached the tenant"),
            (memory <= MEMORY, "too much memory"),
            (log.len() <= bounds.log, "too much log"),
            (logged >= created, "the log lost sign-ups"),
        ];
        for failure in &honest.failures {
            println!("| an honest person got: {failure} | | | | | |");
        }
        for (_, broken) in checks.iter().filter(|(holds, _)| !holds) {
            self.broken += 1;
            println!("| **{broken}** | | | | | |");
        }
        Ok(())
    }

    /// Prints and counts a bound of one attack that is broken.
    pub(crate) fn check(&mut self, holds: bool, broken: &str) {
        if !holds {
            self.broken += 1;
            println!("| **{broken}** | | | | | |");
        }
    }

    pub(crate) const fn is_within_bounds(&self) -> bool {
        self.broken == 0
    }
}
