//! The pages that people see, and `/signup.js`. Knows how they look and which words stand where;
//! nothing of requests: `http` hands it what there is to show.

mod form_values;
mod inputs;
pub mod messages;
pub mod script;
mod theme;
mod view;
mod widget;

pub use form_values::{Filled, metadata_name};
pub use view::{Alert, Back, FORM, FormView, Page, RuleLine, SUCCESS};
