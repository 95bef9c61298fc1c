//! `auth0-signup demo`: an emulated tenant and the service, both on loopback.
fn placeholder() {}
