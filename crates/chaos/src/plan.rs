//! The events of a run, as the seed determines them.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::database_events::DatabaseEvent;
use super::options::{ChaosOptions, EventKind};
use super::postgres::ShutdownMode;

/// The range of times for which a service is suspended: beyond the time after which the others
/// consider it dead.
const STOP: std::ops::Range<Duration> = Duration::from_millis(1_600)..Duration::from_secs(5);

/// The same for one suspension of `LONG_STOP_EVERY`: beyond every timeout of an attempt.
const LONG_STOP: std::ops::Range<Duration> = Duration::from_secs(20)..Duration::from_secs(25);

/// The number of suspensions of which one is long.
const LONG_STOP_EVERY: usize = 20;

/// The largest number of events between a backup and its restoration.
const OLDEST_BACKUP: usize = 6;

/// Something that happens to the services or to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChaosEvent {
    /// A service is killed with SIGKILL and restarted.
    Kill,
    /// A service's clock steps.
    StepClock,
    /// Every row of the ledger is deleted.
    EmptyLedger,
    /// The ledger is copied.
    BackUp,
    /// The copy is restored, some events later.
    RestoreBackup,
    /// The services restart one by one, with a new secret.
    Rotate,
    /// A service is suspended for this time.
    Stop(Duration),
    /// All services are killed, and the ledger loses its last second.
    LosePower,
    /// Something happens to the database's server.
    Database(DatabaseEvent),
    /// The next release's migration meets a dump while a service restarts.
    MigrateBesideDump,
}

impl ChaosEvent {
    /// Returns whether the event takes seconds, and clients have to start during all of them.
    pub(crate) const fn is_long(self) -> bool {
        matches!(self, Self::Database(_) | Self::MigrateBesideDump)
    }
}

/// An event and its moment: the number of clients that have started by then.
pub(crate) type PlannedEvent = (u64, ChaosEvent);

/// Plans the events of a run, evenly spread over its clients.
pub(crate) fn plan_events(options: &ChaosOptions, rng: &mut StdRng) -> Vec<PlannedEvent> {
    let mut events = vec![ChaosEvent::Kill; usize::try_from(options.kills).unwrap_or(0)];
    events.extend(other_events(options, rng));
    events.shuffle(rng);
    add_backups(&mut events, rng);
    let spacing = spacing(options, events.len());
    let moments = (0..).map(|index| index * spacing + rng.random_range(0..=spacing / 2));
    moments.zip(events).collect()
}

/// The number of clients between two events.
pub(crate) fn spacing(options: &ChaosOptions, events: usize) -> u64 {
    u64::from(options.signups) / (u64::try_from(events).unwrap_or(u64::MAX).saturating_add(1))
}

/// About as many events of the chosen kinds as kills, and at least two of each kind.
fn other_events(options: &ChaosOptions, rng: &mut StdRng) -> Vec<ChaosEvent> {
    let mut kinds = options.event_kinds();
    if kinds.is_empty() {
        return Vec::new();
    }
    kinds.shuffle(rng);
    let count = usize::try_from(options.kills).unwrap_or(0).max(2 * kinds.len());
    let mut rounds = BTreeMap::new();
    let events = kinds.into_iter().cycle().take(count).map(|kind| {
        let round = rounds.entry(kind).or_insert(0_usize);
        *round += 1;
        match kind {
            EventKind::Clocks => ChaosEvent::StepClock,
            EventKind::Rows if round.is_multiple_of(2) => ChaosEvent::EmptyLedger,
            EventKind::Rows => ChaosEvent::RestoreBackup,
            EventKind::Rotation => ChaosEvent::Rotate,
            EventKind::Stops if *round % LONG_STOP_EVERY == LONG_STOP_EVERY / 2 => {
                ChaosEvent::Stop(rng.random_range(LONG_STOP))
            }
            EventKind::Stops => ChaosEvent::Stop(rng.random_range(STOP)),
            EventKind::Power => ChaosEvent::LosePower,
            EventKind::Restarts => {
                let modes = [ShutdownMode::Kill, ShutdownMode::Immediate, ShutdownMode::Fast];
                let mode = modes.iter().cycle().nth(*round - 1).copied();
                ChaosEvent::Database(DatabaseEvent::Restart(mode.unwrap_or(ShutdownMode::Fast)))
            }
            EventKind::Failover => ChaosEvent::Database(DatabaseEvent::FailOver),
            EventKind::Pooler => ChaosEvent::Database(DatabaseEvent::RestartPooler),
            EventKind::Silence => ChaosEvent::Database(DatabaseEvent::FallSilent),
            EventKind::Replies => ChaosEvent::Database(DatabaseEvent::CutOffReplies),
            EventKind::Migration => ChaosEvent::MigrateBesideDump,
        }
    });
    events.collect()
}

/// Inserts a backup some events before each restoration.
fn add_backups(events: &mut Vec<ChaosEvent>, rng: &mut StdRng) {
    let mut index = 0;
    while let Some(event) = events.get(index) {
        if *event == ChaosEvent::RestoreBackup {
            let before = rng.random_range(0..=OLDEST_BACKUP);
            events.insert(index.saturating_sub(before), ChaosEvent::BackUp);
            index += 1;
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rand::SeedableRng as _;

    use super::*;

    fn plan(arguments: &str) -> Vec<PlannedEvent> {
        let arguments = std::iter::once("chaos").chain(arguments.split_whitespace());
        let mut rng = StdRng::seed_from_u64(1);
        plan_events(&ChaosOptions::parse_from(arguments), &mut rng)
    }

    #[test]
    fn every_kind_of_event_happens_twice_in_a_short_run() {
        let plan = plan("--signups 300 --kills 5");
        let count = |wanted: fn(&ChaosEvent) -> bool| {
            plan.iter().filter(|(_, event)| wanted(event)).count()
        };
        assert_eq!(count(|event| *event == ChaosEvent::Kill), 5);
        assert_eq!(count(|event| *event == ChaosEvent::StepClock), 2);
        assert_eq!(count(|event| *event == ChaosEvent::EmptyLedger), 1);
        assert_eq!(count(|event| *event == ChaosEvent::RestoreBackup), 1);
        assert_eq!(count(|event| *event == ChaosEvent::Rotate), 2);
        assert_eq!(count(|event| matches!(event, ChaosEvent::Stop(_))), 2);
        assert_eq!(count(|event| *event == ChaosEvent::LosePower), 2);
        assert!(plan.is_sorted_by_key(|(moment, _)| *moment));
        assert!(plan.iter().all(|(moment, _)| *moment < 300));
    }

    #[test]
    fn events_of_a_server_happen_on_a_server_only() {
        let failovers = |arguments: &str| {
            let failover = ChaosEvent::Database(DatabaseEvent::FailOver);
            plan(arguments).iter().filter(|(_, event)| *event == failover).count()
        };
        assert_eq!(failovers("--signups 300 --database postgres"), 2);
        assert_eq!(failovers("--signups 300"), 0);
        assert_eq!(plan("--kills 0 --events failover").len(), 0);
    }

    #[test]
    fn a_backup_precedes_each_restoration() {
        let mut backups = 0;
        for (_, event) in plan("--signups 5000 --kills 60 --events rows") {
            match event {
                ChaosEvent::BackUp => backups += 1,
                ChaosEvent::RestoreBackup => backups -= 1,
                _ => {}
            }
            assert!(backups >= 0);
        }
        assert_eq!(backups, 0);
    }

    #[test]
    fn only_kills_happen_without_other_kinds() {
        let plan = plan("--kills 4 --events");
        assert_eq!(plan.len(), 4);
        assert!(plan.iter().all(|(_, event)| *event == ChaosEvent::Kill));
    }
}
