//! The emulator over real sockets, by a client as others have it.

mod client;
mod create_user;
mod token;
