//! The paths of Auth0's own endpoints. Those of the form and its pages are in `page`.

/// Auth0's public sign-up endpoint.
pub(super) const AUTH0_SIGN_UP: &str = "/dbconnections/signup";

/// The endpoint that reports to Lock whether to show a captcha.
pub(super) const AUTH0_CHALLENGE: &str = "/dbconnections/signup/challenge";
