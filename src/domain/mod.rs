//! What a sign-up is: the fields of a form, the rules each must meet, and the [`FieldError`]s
//! that name every one it does not.
//!
//! Owns Auth0's own validation rules, restated (see `docs/api.md` for the deliberate exceptions).
//! Must not know HTTP, Auth0's wire format, storage or settings files: it is pure, takes `&str`
//! and returns values. Nothing in here formats, logs or repeats a rejected value.

pub mod field;
pub mod violation;

pub use field::Field;
pub use violation::{FieldError, PasswordRule, Violation};
