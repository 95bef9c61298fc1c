//! The `auth0-signup` binary: a shim over [`auth0_signup::cli`].

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Replaces the system's allocator, and wipes what is freed: also buffers of libraries hold
/// passwords. `docs/decisions/0009-allocator.md` has the reasons.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    auth0_signup::cli::main()
}
