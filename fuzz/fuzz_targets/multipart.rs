//! A multipart body of `POST /signup`, with the boundary `X`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| auth0_signup_fuzz::form("multipart/form-data; boundary=X", body));
