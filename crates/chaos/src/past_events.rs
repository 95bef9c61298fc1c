//! The events of a run, and the responses that clients got meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::client::ClientHistory;
use super::observed::{Observation, Observed};

/// The names and starts of the events, in their order.
#[derive(Debug, Default)]
pub(crate) struct PastEvents(Vec<(&'static str, Instant)>);

/// The requests that were running between any event of one name and the event after it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventSummary {
    /// The number of events.
    pub(crate) events: u64,
    /// The number of responses.
    pub(crate) responses: u64,
    /// The number of responses that the ledger is unavailable.
    pub(crate) unavailable: u64,
    /// The longest time to a response.
    pub(crate) longest: Duration,
}

impl PastEvents {
    /// Adds an event.
    pub(crate) fn add(&mut self, name: &'static str, started_at: Instant) {
        self.0.push((name, started_at));
    }

    /// The number of events.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The summary for each name.
    pub(crate) fn summaries<'h>(
        &self,
        histories: impl Iterator<Item = &'h ClientHistory>,
    ) -> BTreeMap<&'static str, EventSummary> {
        let mut summaries: BTreeMap<_, EventSummary> = BTreeMap::new();
        for (name, _) in &self.0 {
            summaries.entry(*name).or_default().events += 1;
        }
        for history in histories {
            for observation in history.observed.iter().filter(|one| !one.observed.is_missing()) {
                let received_at = history.started_at + observation.at;
                for name in self.names(received_at - observation.took, received_at) {
                    summaries.entry(name).or_default().add(observation);
                }
            }
        }
        summaries
    }

    /// The names of the events that affected a request of this time.
    fn names(&self, sent_at: Instant, received_at: Instant) -> BTreeSet<&'static str> {
        let ends = self.0.iter().skip(1).map(|(_, next)| Some(*next)).chain([None]);
        let affects = |started_at: Instant, end: Option<Instant>| {
            received_at >= started_at && end.is_none_or(|end| sent_at < end)
        };
        let affecting = self.0.iter().zip(ends).filter(|((_, at), end)| affects(*at, *end));
        affecting.map(|((name, _), _)| *name).collect()
    }
}

impl EventSummary {
    fn add(&mut self, observation: &Observation) {
        self.responses += 1;
        self.longest = self.longest.max(observation.took);
        if matches!(&observation.observed, Observed::NotCreated(code) if code == "unavailable") {
            self.unavailable += 1;
        }
    }
}
