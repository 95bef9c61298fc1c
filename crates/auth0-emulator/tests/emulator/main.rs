//! The emulator over real sockets, by a client as others have it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what the tests share may fail as they do"
)]

mod assertion;
mod client;
mod control;
mod create_user;
mod faults;
mod h2_faults;
mod lifecycle;
mod program;
mod public;
mod reading;
mod tls;
mod token;
