//! `auth0-signup openapi`: the OpenAPI document.

use super::output;
use crate::app::operator;

/// Prints the OpenAPI document.
pub(super) fn run() -> anyhow::Result<()> {
    output::print(&operator::openapi())
}
