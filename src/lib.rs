//! auth0-signup: the sign-up backend for Auth0 tenants.
//!
//! One `POST /signup` becomes exactly one create-user call with every root attribute set. The
//! modules depend on each other in one direction:
//!
//! ```text
//! cli -> app -> http -> abuse -> signup -> auth0, ledger -> domain
//! ```
//!
//! [`doctor`] checks what they depend on, with the same clients.
//!
//! [`config`] and [`telemetry`] lie below the modules that do the work: [`config`] knows the
//! vocabularies ([`domain`], [`form`], [`limits`], …), [`telemetry`] only [`config`] and [`tls`].
//! All share a [`context`] with the [`clock`] and the [`lifecycle`]; [`abuse`] and [`ledger`] share
//! the vocabulary of [`limits`]; [`page`] renders the form for browsers. `docs/architecture.md`
//! follows one request through them.

pub mod abuse;
pub mod app;
pub mod auth0;
pub mod captcha_provider;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod digest;
pub mod doctor;
pub mod domain;
pub mod form;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod origin;
pub mod page;
pub mod readiness;
pub mod signup;
pub mod telemetry;
pub mod texts;
pub mod tls;
