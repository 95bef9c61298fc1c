//! The pages for people who sign up, `/signup.js` and `/signup.css`. Knows layout and texts, and nothing about
//! requests: `http` passes in what a page shows.

mod asset;
pub mod example;
mod form_values;
mod greeting;
mod inputs;
pub mod messages;
mod model;
mod password_checks;
mod paths;
mod theme;
mod view;
pub mod web_file;
mod widget;

use self::messages::Messages;
use self::web_file::WebFile;
use crate::texts::Locale;

pub use asset::Asset;
pub use form_values::{FormValues, metadata_name};
pub use greeting::Greeting;
pub use model::{Alert, BackLink, ErrorLine, FormView};
pub use password_checks::{password_checks, password_rules_attribute};
pub use paths::{FORM, SUCCESS};
pub use view::Page;

/// Computes the files and the texts that are the same for every deployment, so that the first request does
/// not have to.
pub fn load() {
    let _files = WebFile::all();
    Messages::for_locale(Locale::default());
}
