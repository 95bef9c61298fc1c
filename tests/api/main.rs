//! Black-box tests over TCP: what a caller sees, and what went over the wire to Auth0.
//!
//! Each test has its own app and its own emulated tenant, both on port 0; they share nothing and
//! run in parallel. They assert on the tenant's journal: how many calls, which bytes.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::future_not_send,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share may fail as they do"
)]

mod app;
mod operator;
mod postgres;
mod process;
mod raw;
#[path = "../shared/postgres.rs"]
mod server;

mod attempts;
mod budget;
mod captcha;
mod challenges;
mod connections;
mod dbconnections;
mod duplicates;
mod existence;
mod fields;
mod forms;
mod framing;
mod hostile;
mod http2;
mod idempotency;
mod languages;
mod limits;
mod log;
mod origins;
mod outcomes;
mod pages;
mod policy;
mod privacy;
mod probes;
mod proxies;
mod reconciliation;
mod responses;
mod slow_clients;
mod terms;
mod token;
