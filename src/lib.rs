//! auth0-signup: the sign-up backend for Auth0 tenants.

pub mod domain;
