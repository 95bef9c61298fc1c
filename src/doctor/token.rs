//! The Management API token: whether it is granted and accepted, and its scopes.

use std::time::Duration;

use super::finding::{Finding, or_ok};
use super::kind::FindingKind;
use super::report::DoctorReport;
use super::tenant_error;
use crate::auth0::{InspectedToken, Inspector, LookupError, Misconfiguration, is_used_scope};
use crate::config::Auth0Settings;
use crate::domain::UserId;

/// The lifetime below which a replica requests tokens noticeably often. Auth0's default is a day.
const SHORT: Duration = Duration::from_mins(10);

/// An id that no user has: the service's ids have 24 characters.
const NOBODY: &str = "auth0-signup-doctor";

/// Requests a token.
pub(super) async fn request(
    settings: &Auth0Settings,
    tenant: &Inspector,
    report: &mut DoctorReport,
) -> Option<InspectedToken> {
    match tenant.request_token().await {
        Ok(token) => {
            let seconds = token.lifetime.as_secs();
            let details = [&settings.base, &settings.audience, &seconds.to_string()];
            report.push(Finding::with(FindingKind::TokenOk, details.map(String::clone).to_vec()));
            if token.lifetime < SHORT {
                report.push(Finding::about(FindingKind::TokenShort, seconds));
            }
            Some(token)
        }
        Err(error) => {
            report.push(tenant_error::token(&error));
            None
        }
    }
}

/// Compares the scopes with those that are needed.
pub(super) fn check_scopes(token: &InspectedToken) -> Vec<Finding> {
    let Some(scopes) = &token.scopes else {
        return vec![Finding::new(FindingKind::ScopesUnreported)];
    };
    let mut findings = Vec::new();
    if !token.may_have("create:users") {
        findings.push(tenant_error::misconfiguration(&Misconfiguration::Scope));
    }
    if !token.may_have("read:users") {
        findings.push(Finding::new(FindingKind::ScopesReadMissing));
    }
    let excessive: Vec<_> =
        scopes.iter().map(String::as_str).filter(|scope| !is_used_scope(scope)).collect();
    if !excessive.is_empty() {
        findings.push(Finding::about(FindingKind::ScopesExcessive, excessive.join(", ")));
    }
    or_ok(findings, Finding::new(FindingKind::ScopesOk))
}

/// Makes a call that finds nobody. Returns whether the Management API accepts the token.
pub(super) async fn check_api(
    tenant: &Inspector,
    token: &InspectedToken,
    report: &mut DoctorReport,
) -> bool {
    let failure = match tenant.user(token, &UserId::from_connection_id(NOBODY)).await {
        // A token without the scope is accepted all the same.
        Ok(_) | Err(LookupError::Forbidden) => None,
        Err(error) => tenant_error::call(&error),
    };
    let is_accepted = failure.is_none();
    report.push(failure.unwrap_or_else(|| Finding::new(FindingKind::ApiOk)));
    is_accepted
}
