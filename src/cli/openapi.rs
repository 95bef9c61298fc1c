//! `openapi`: the service, described.

use super::output;
use crate::app::operator;

/// Prints the OpenAPI document.
pub(super) fn run() -> anyhow::Result<()> {
    output::print(&operator::openapi())
}
