//! The `auth0-signup` binary: a shim over [`auth0_signup::cli`].
fn main() {}
