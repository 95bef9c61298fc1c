//! The `auth0-signup` binary: a shim over [`auth0_signup::cli`].

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Why not the system's: `docs/decisions/0009-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    auth0_signup::cli::main()
}
