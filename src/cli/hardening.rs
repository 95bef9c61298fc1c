//! Keeps secrets in memory out of files: no core dumps, and no payload of a panic on the terminal.

use std::io;
use std::panic::PanicHookInfo;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use super::print_hint;

/// Hardens the process. Called before anything reads a setting.
pub(super) fn harden() {
    std::panic::set_hook(Box::new(|panic| print_hint(&location(panic))));
    if let Err(error) = forbid_core_dumps() {
        print_hint(&format!("auth0-signup: core dumps cannot be turned off: {error}"));
    }
}

/// Forbids core dumps: by the limit on their size, and to dump handlers that ignore it. Either is
/// enough where the system denies the other.
fn forbid_core_dumps() -> io::Result<()> {
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable).or(limited)?)
}

/// The location of a panic. Its message may quote anything, so it is left out.
fn location(panic: &PanicHookInfo<'_>) -> String {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    format!("auth0-signup: panicked at {location}")
}
