//! Tests of the emulator over real sockets, with an ordinary HTTP client.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "shared test helpers may panic like tests"
)]

mod assertion;
mod client;
mod control;
mod create_user;
#[path = "../../../../tests/shared/eventually.rs"]
mod eventually;
mod faults;
mod lifecycle;
mod login;
mod program;
mod public;
mod reading;
mod tls;
mod token;
