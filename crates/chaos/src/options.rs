//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::finding::{FindingKind, Findings};
use super::postgres::PoolMode;

/// Sign-ups of which at most one may be a form that is taken for another one. One in 12,000 is expected.
const CONFUSED: u32 = 1_000;

/// Signs people up through faults, kills and other events, and fails if any outcome is wrong or
/// unknown.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos", version)]
pub(crate) struct ChaosOptions {
    /// Number of clients that sign up
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub(crate) signups: u32,
    /// Number of times the service is killed with SIGKILL
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) kills: u32,
    /// Kinds of other events, which together happen about as often as kills and at least twice
    /// each; all if absent, none if empty. Those that the database does not have are left out
    #[arg(long, value_enum, value_delimiter = ',', num_args = 0.., value_name = "KIND")]
    pub(crate) events: Option<Vec<EventKind>>,
    /// Database of the ledger
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) database: DatabaseKind,
    /// Mode of the pooler before the database of the last service; there is one if `pooler` is
    /// among the events
    #[arg(long, value_enum, default_value = "transaction")]
    pub(crate) pool_mode: PoolMode,
    /// Number of services that share the database, one of which is killed at a time; PostgreSQL
    /// only
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) replicas: u16,
    /// Number of clients running at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=2_000))]
    pub(crate) concurrency: u32,
    /// Percentage of the tenant's calls that get a fault
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) faults: u8,
    /// The tenant's connection ignores pinned ids, as a custom database may. Events that lose rows
    /// are left out: only a row shows whose user it is. An outcome may stay unknown then
    #[arg(long)]
    pub(crate) ignores_user_id: bool,
    /// Random seed; chosen at random if absent, and printed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Path of the service's program
    #[arg(long, value_name = "FILE")]
    pub(crate) service: Option<PathBuf>,
}

impl ChaosOptions {
    /// The kinds of event that happen besides kills, each once.
    pub(crate) fn event_kinds(&self) -> Vec<EventKind> {
        let chosen = self.events.as_deref().unwrap_or(EventKind::value_variants());
        let all = EventKind::value_variants().iter().copied();
        let possible = all.filter(|kind| !kind.needs_server() || self.database.has_server());
        let possible = possible.filter(|kind| !(self.ignores_user_id && kind.loses_rows()));
        possible.filter(|kind| chosen.contains(kind)).collect()
    }

    /// Returns whether these findings fail the run.
    pub(crate) fn fail(&self, findings: &Findings) -> bool {
        let expected = (self.signups / CONFUSED).max(1);
        findings.count(FindingKind::Confused) > usize::try_from(expected).unwrap_or(usize::MAX)
            || findings.all.iter().any(|finding| match finding.kind {
                FindingKind::Unknown => !self.ignores_user_id,
                FindingKind::Confused => false,
                FindingKind::Duplicate | FindingKind::Lost | FindingKind::Incorrect => true,
            })
    }
}

/// The database of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseKind {
    /// A file in a temporary folder.
    Sqlite,
    /// A server of its own.
    Postgres,
}

impl DatabaseKind {
    /// Returns whether the database is a server.
    const fn has_server(self) -> bool {
        matches!(self, Self::Postgres)
    }
}

/// A kind of event besides kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum EventKind {
    /// Every service's clock is wrong by up to 90 s, and steps.
    Clocks,
    /// The ledger is emptied, or an older copy of it is restored.
    Rows,
    /// The services restart one by one, with a new secret.
    Rotation,
    /// A service is suspended for seconds.
    Stops,
    /// All services are killed, and the ledger loses its last second.
    Power,
    /// The database server restarts: in order, at once, or after SIGKILL.
    Restarts,
    /// A standby that lags behind takes over.
    Failover,
    /// The pooler before the server restarts.
    Pooler,
    /// Connections to the database fall silent.
    Silence,
    /// Replies of the database are cut off after the commit.
    Replies,
    /// The next release's migration meets a dump.
    Migration,
}

impl EventKind {
    /// Returns whether the ledger may lose rows.
    const fn loses_rows(self) -> bool {
        match self {
            Self::Rows | Self::Power | Self::Restarts | Self::Failover => true,
            Self::Clocks
            | Self::Rotation
            | Self::Stops
            | Self::Pooler
            | Self::Silence
            | Self::Replies
            | Self::Migration => false,
        }
    }

    /// Returns whether the event happens to a database server.
    const fn needs_server(self) -> bool {
        match self {
            Self::Clocks | Self::Rows | Self::Rotation | Self::Stops | Self::Power => false,
            Self::Restarts
            | Self::Failover
            | Self::Pooler
            | Self::Silence
            | Self::Replies
            | Self::Migration => true,
        }
    }
}
