//! The pages that people see, and `/signup.js`. Knows how they look and which words stand where;
//! nothing of requests: `http` hands it what there is to show.

mod filled;
mod inputs;
pub mod script;
mod theme;
mod view;
mod widget;
pub mod words;

pub use filled::{Filled, metadata_name};
pub use view::{Alert, Back, FORM, FormView, Page, RuleLine, SUCCESS};
