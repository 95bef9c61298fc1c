//! What a sign-up is: the fields of a form, the rules each must meet, and the [`FieldError`]s
//! that name every one it does not.
//!
//! Owns Auth0's own validation rules, restated (see `docs/api.md` for the deliberate exceptions).
//! Must not know HTTP, Auth0's wire format, storage or settings files: it is pure, takes `&str`
//! and returns values. Nothing in here formats, logs or repeats a rejected value.

pub mod domain_name;
mod email;
mod email_rules;
pub mod field;
mod host;
mod idempotency_key;
pub mod metadata;
pub mod new_user;
pub mod password;
mod personal;
pub mod phone;
pub mod picture;
pub mod rules;
pub mod submission;
pub mod terms;
pub mod text;
mod user_id;
pub mod username;
pub mod value;
pub mod violation;

pub use domain_name::DomainName;
pub use email::EmailAddress;
pub use email_rules::EmailRules;
pub use field::Field;
pub use idempotency_key::IdempotencyKey;
pub use new_user::NewUser;
pub use password::{Password, PasswordPolicy, Profile};
pub use phone::PhoneNumber;
pub use picture::{PictureSchemes, PictureUrl};
pub use rules::Rules;
pub use terms::{Terms, TermsVersion};
pub use text::PersonalName;
pub use user_id::full_user_id;
pub use username::Username;
pub use violation::{FieldError, PasswordRule, Violation};
