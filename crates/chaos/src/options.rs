//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Sign-ups through faults and kills; fails when the outcome of one of them is not known.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos", version)]
pub(crate) struct ChaosOptions {
    /// How many clients sign up
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub(crate) signups: u32,
    /// How often the service is killed with SIGKILL
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) kills: u32,
    /// Where the service keeps its ledger
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) database: DatabaseKind,
    /// The PostgreSQL server, whose user may create databases: scripts/with-postgres starts one
    #[arg(long, env = "TEST_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// How many services share the database, of which one is killed at a time; PostgreSQL only
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) replicas: u16,
    /// How many clients are under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=2_000))]
    pub(crate) concurrency: u32,
    /// The share of the tenant's calls that go wrong, in percent
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) faults: u8,
    /// Where chance starts; any number unless given, and told
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The service's program
    #[arg(long, value_name = "FILE")]
    pub(crate) service: Option<PathBuf>,
}

/// The database of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseKind {
    /// A file in a temporary folder.
    Sqlite,
    /// A database of its own on the server.
    Postgres,
}
