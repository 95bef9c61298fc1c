//! Prints the findings and counts of a run.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth0_emulator::Emulator;

use super::check::PersonHistory;
use super::client::{ClientContext, ClientHistory};
use super::events::EventRunner;
use super::fault_injector::FaultInjector;
use super::finding::{FindingKind, Findings};
use super::history::format_history;
use super::observed::Observation;
use super::options::ChaosOptions;
use super::past_events::EventSummary;
use super::recovery::RecoveryTimes;

/// The maximum number of findings of each kind reported in full.
const REPORTED: usize = 5;

/// The parts of a run after its end.
pub(crate) struct RunReport<'a> {
    /// The options.
    pub(crate) options: &'a ChaosOptions,
    /// The seed.
    pub(crate) seed: u64,
    /// The duration.
    pub(crate) elapsed: Duration,
    /// The tenant.
    pub(crate) auth0: &'a Emulator,
    /// The faults of the tenant.
    pub(crate) injector: &'a FaultInjector,
    /// The events.
    pub(crate) events: &'a EventRunner,
    /// The state of the clients.
    pub(crate) context: &'a ClientContext,
    /// The people and the clients' results.
    pub(crate) people: &'a [PersonHistory],
    /// The number of rows in the ledger.
    pub(crate) rows: usize,
    /// The inconsistencies.
    pub(crate) findings: &'a Findings,
}

impl RunReport<'_> {
    /// Prints everything.
    pub(crate) fn print(&self) {
        self.print_findings();
        let injected = self.injector.injected();
        print_counts("faults:", injected.iter().map(|(name, times)| (*name, *times)));
        let observed = self.count_observed();
        print_counts("observed:", observed.iter().map(|(name, times)| (name.as_str(), *times)));
        self.print_events();
        let ChaosOptions { signups, database, replicas, concurrency, .. } = self.options;
        print_line(&format!(
            "{signups} sign-ups by {people} people, {concurrency} at once, on {database:?} with \
             {replicas} replica(s): {requests} requests, {calls} calls at the tenant, {faults} \
             faults, {events} events, {users} users, {rows} rows, {seconds} s, seed {seed}",
            people = self.people.len(),
            requests = self.context.requests.load(Ordering::Relaxed),
            calls = self.auth0.journal().len(),
            faults = injected.values().sum::<u64>(),
            events = self.events.past.len(),
            users = self.auth0.users().len(),
            rows = self.rows,
            seconds = self.elapsed.as_secs(),
            seed = self.seed,
        ));
        let RecoveryTimes { clients, disturbed, unfinished, p50, p99, longest } =
            self.context.recoveries.times();
        print_line(&format!(
            "from a kill to a final response: {clients} clients, p50 {} ms, p99 {} ms, longest {} \
             ms; {disturbed} more were delayed by another event, {unfinished} got none",
            p50.as_millis(),
            p99.as_millis(),
            longest.as_millis(),
        ));
        let no_wait = self.observations().filter(|observation| observation.lacks_retry_after());
        print_line(&format!("409 and 503 without Retry-After: {}", no_wait.count()));
        print_line(&format!(
            "created twice {}\nlost {}\nunknown {}\nincorrect responses {} (without a key: {})\n\
             confused forms without a key {}",
            self.findings.count(FindingKind::Duplicate),
            self.findings.count(FindingKind::Lost),
            self.findings.count(FindingKind::Unknown),
            self.findings.count(FindingKind::Incorrect),
            self.findings.incorrect_without_key(),
            self.findings.count(FindingKind::Confused),
        ));
    }

    /// Prints the events, and the responses to the requests that were running meanwhile.
    fn print_events(&self) {
        let histories = self.people.iter().flat_map(|(_, histories)| histories);
        print_line("events:");
        for (name, summary) in self.events.past.summaries(histories) {
            let EventSummary { events, responses, unavailable, longest } = summary;
            print_line(&format!(
                "  {events:>6} {name:<24} {responses:>6} responses meanwhile, longest {:>5} ms, \
                 {unavailable:>4} unavailable",
                longest.as_millis(),
            ));
        }
    }

    fn print_findings(&self) {
        let journal = self.auth0.journal();
        let mut all: Vec<_> = self.findings.all.iter().collect();
        // Clients with a key first: those without are few among the clients, but many among the
        // findings of a service that does not link their requests.
        all.sort_by_key(|finding| finding.without_key);
        let mut reported: HashMap<FindingKind, usize> = HashMap::new();
        for finding in all {
            let reported = reported.entry(finding.kind).or_default();
            *reported += 1;
            if *reported > REPORTED {
                continue;
            }
            print_line(&format!("{:?}: {}", finding.kind, finding.description));
            let person = finding.person.and_then(|index| self.people.get(index));
            if let Some((person, histories)) = person {
                print_line(&format_history(person, histories, &journal, self.injector));
            }
        }
    }

    fn observations(&self) -> impl Iterator<Item = &Observation> {
        let histories = self.people.iter().flat_map(|(_, histories)| histories);
        histories.flat_map(|ClientHistory { observed, .. }| observed)
    }

    /// Counts the results that clients observed.
    fn count_observed(&self) -> BTreeMap<String, u64> {
        let mut count = BTreeMap::new();
        for observation in self.observations() {
            *count.entry(observation.observed.name()).or_default() += 1;
        }
        count
    }
}

fn print_counts<'a>(heading: &str, counts: impl Iterator<Item = (&'a str, u64)>) {
    print_line(heading);
    for (name, times) in counts {
        print_line(&format!("  {times:>6} {name}"));
    }
}

/// Prints a line on standard output.
#[expect(clippy::print_stdout, reason = "the run's whole purpose is to be read")]
pub(crate) fn print_line(line: &str) {
    println!("{line}");
}
