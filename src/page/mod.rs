//! The pages that people see, and `/signup.js`. Knows how they look and which words stand where;
//! nothing of requests: `http` hands it what there is to show.

mod view;

pub use view::{Notice, Page, Rendered};
