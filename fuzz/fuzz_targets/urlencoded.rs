//! An urlencoded body of `POST /signup`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| auth0_signup_fuzz::form("application/x-www-form-urlencoded", body));
