//! Black-box tests over TCP: the responses that a client gets, and the calls that Auth0 gets.
//!
//! Each test has its own app and its own emulated tenant, both on port 0. Tests share nothing and
//! run in parallel. They assert on the tenant's journal: the number of calls and their bytes.
//!
//! No test depends on the speed of the machine: they wait for events ([`eventually`], the
//! emulator's `Gate`), and compare concurrent results as sets. Bounds on elapsed time are lower ones,
//! except where a time is what is promised: those tests run apart (`.config/nextest.toml`).

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::future_not_send,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests do"
)]

mod app;
mod builder;
#[path = "../shared/eventually.rs"]
mod eventually;
mod operator;
mod process;
mod raw;
#[path = "../shared/server.rs"]
mod server;
#[path = "../shared/temp_dir.rs"]
mod temp_dir;
#[path = "../shared/unreliable_server.rs"]
#[expect(dead_code, reason = "the tests of the ledger use the rest of it")]
mod unreliable_server;

mod attempts;
mod base_path;
mod browser_tabs;
mod budget;
mod captcha;
mod challenge_pressure;
mod challenges;
mod clocks;
mod connections;
mod credentials;
mod dbconnections;
mod dead_processes;
mod doctor;
mod doctor_connection;
mod doctor_live;
mod doctor_tenant;
mod duplicates;
mod existence;
mod existing_account_notice;
mod fields;
mod form_tokens;
mod forms;
mod framing;
mod hostile;
mod idempotency;
mod identity;
mod issued_challenges;
mod languages;
mod ledger_file;
mod limits;
mod log;
mod operators_week;
mod origins;
mod other_connections;
#[cfg(feature = "otlp")]
mod otlp;
mod outcomes;
mod page_redirects;
mod pages;
mod pinned_ids;
mod policy;
mod postgres;
mod privacy;
mod probes;
mod proxies;
mod reconciliation;
mod rejected_repeats;
mod reload;
mod replicas;
mod responses;
mod slow_clients;
mod tenant_rejections;
mod tenant_responses;
mod terms;
mod token;
mod tracing;
