//! Keeps secrets in memory out of files: no core dumps, and no payload of a panic on the terminal.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use super::output::print_to_stderr;
use crate::telemetry::panic_location;

/// Hardens the process. Called before anything reads a setting.
pub(super) fn harden() {
    std::panic::set_hook(Box::new(|panic| {
        print_to_stderr(&format!("auth0-signup: panicked at {}", panic_location(panic)));
    }));
    if let Err(error) = forbid_core_dumps() {
        print_to_stderr(&format!("auth0-signup: core dumps cannot be turned off: {error}"));
    }
}

/// Forbids core dumps: by the limit on their size, and to dump handlers that ignore it. Either is
/// enough where the system denies the other.
fn forbid_core_dumps() -> io::Result<()> {
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable).or(limited)?)
}
