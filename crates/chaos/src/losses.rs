//! The times at which the ledger lost rows. What is missing for other times is a finding.

use std::time::Duration;

use tokio::time::Instant;

use super::client::ClientHistory;

/// The longest time after a client's end at which its attempt writes its row.
const LATEST_WRITE: Duration = Duration::from_secs(10);

/// Every loss of the run.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

#[derive(Debug)]
struct Loss {
    /// Rows that were written before this time are kept. `None`: all rows are lost.
    since: Option<Instant>,
    until: Instant,
}

impl Losses {
    /// Records that everything written until now is lost, or was put back into an older state.
    pub(crate) fn add_all(&mut self) {
        self.0.push(Loss { since: None, until: Instant::now() });
    }

    /// Records that what was written from this time until now may be lost.
    pub(crate) fn add_since(&mut self, since: Instant) {
        self.0.push(Loss { since: Some(since), until: Instant::now() });
    }

    /// Returns whether rows of this client may be lost.
    pub(crate) fn affect(&self, client: &ClientHistory) -> bool {
        let last = client.observed.last().map_or(Duration::ZERO, |observation| observation.at);
        let latest_write = client.started_at + last + LATEST_WRITE;
        self.0.iter().any(|loss| {
            client.started_at <= loss.until && loss.since.is_none_or(|since| latest_write >= since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::{ClientBehavior, ClientPlan, Profile};

    fn client(started_at: Instant) -> ClientHistory {
        let profile = Profile {
            password: String::new(),
            given_name: String::new(),
            family_name: String::new(),
        };
        let plan = ClientPlan { profile, key: None, behavior: ClientBehavior::Patient, seed: 0 };
        ClientHistory { plan, started_at, observed: Vec::new() }
    }

    #[test]
    fn a_loss_of_a_second_affects_only_clients_of_that_time() {
        let now = Instant::now();
        let mut losses = Losses::default();
        losses.add_since(now - Duration::from_secs(1));
        assert!(losses.affect(&client(now - Duration::from_secs(3))));
        assert!(!losses.affect(&client(now - Duration::from_mins(1))));
        assert!(!losses.affect(&client(now + Duration::from_mins(1))));
        losses.add_all();
        assert!(losses.affect(&client(now - Duration::from_mins(1))));
        assert!(!losses.affect(&client(now + Duration::from_mins(1))));
    }
}
