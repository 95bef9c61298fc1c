//! A sign-up: its fields, the rules that each must meet, and the [`FieldError`]s for those that do
//! not.
//!
//! Owns Auth0's own validation rules, restated (`docs/api.md` lists the deliberate exceptions).
//! Pure code: takes `&str` and returns values. Must not know HTTP, posted forms, Auth0's wire
//! format, storage or settings files. Nothing here formats, logs or repeats a rejected value.

mod attributes;
mod boolean;
pub mod domain_name;
mod email;
mod email_rules;
pub mod field;
mod host;
mod idempotency_key;
mod ignored_names;
pub mod invisible;
mod length;
pub mod metadata;
pub mod new_user;
pub mod password;
pub mod phone;
pub mod picture;
mod redacted;
pub mod rules;
pub mod terms;
mod user_id;
pub mod violation;

pub use attributes::{AttributeValue, Attributes};
pub use boolean::parse_boolean;
pub use domain_name::DomainName;
pub use email::EmailAddress;
pub use email_rules::EmailRules;
pub use field::Field;
pub use idempotency_key::IdempotencyKey;
pub use ignored_names::IgnoredNames;
pub use length::{USERNAME_LENGTHS, check_length};
pub use new_user::NewUser;
pub use password::{Password, PasswordPolicy, Profile};
pub use picture::PictureSchemes;
pub use rules::Rules;
pub use terms::{Terms, TermsVersion};
pub use user_id::UserId;
pub use violation::{FieldError, PasswordRule, Violation};
