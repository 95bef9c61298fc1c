//! The `auth0-signup` binary: a shim over [`auth0_signup::cli`].

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Replaces the system's allocator; `docs/decisions/0009-allocator.md` has the reasons.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    auth0_signup::cli::main()
}
