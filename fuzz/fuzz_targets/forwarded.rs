//! `X-Forwarded-For` and `Forwarded`: a client's header must not hide what a proxy appends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|sent: &[u8]| assert!(auth0_signup::fuzzing::forwarded(sent)));
