//! The pages that people see, and `/signup.js`. Knows how they look and which words stand where;
//! nothing of requests: `http` hands it what there is to show.

mod filled;
mod inputs;
pub mod script;
mod theme;
mod view;
pub mod words;

pub use filled::Filled;
pub use view::{Alert, FormView, Page, RuleLine, SUCCESS};
