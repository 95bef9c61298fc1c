//! The texts for people, in every language. Each has a key and parameters; none is written in code.
//!
//! `locales/<language>/` holds them in Project Fluent's format; they are compiled in.
//! `docs/languages.md` describes how to add a language or a text. Knows the domain's field errors,
//! and nothing about requests.

mod catalogue;
mod field_errors;
mod locale;
mod negotiation;
#[cfg(test)]
mod tests;

pub use catalogue::load;
pub use locale::{Locale, PerLocale};
pub use negotiation::quality;

#[cfg(test)]
pub(crate) use tests::texts_of;
