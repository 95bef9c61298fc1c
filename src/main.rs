//! The `auth0-signup` binary: a shim over [`auth0_signup::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    auth0_signup::cli::main()
}
