//! What people read, in every language: each text by a key and parameters, never made in code.
//!
//! The texts stand in `locales/<language>/`, in Project Fluent's format, and are compiled in.
//! `docs/languages.md` says how to add a language or a text. Knows the domain's faults, and nothing
//! of requests.

mod catalogue;
mod field_errors;
mod locale;
mod negotiation;

pub use catalogue::load;
pub use locale::Locale;
pub use negotiation::quality;

#[cfg(test)]
pub(crate) use catalogue::texts_of;
