//! The routes of the pages.

/// The route of the form.
pub const FORM: &str = "/signup";
/// The route of the page after a sign-up.
pub const SUCCESS: &str = "/signup/success";
