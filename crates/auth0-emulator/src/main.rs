//! `auth0-emulator`: an Auth0 tenant on loopback as a program of its own.

fn main() {}
