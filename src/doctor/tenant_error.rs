//! Errors of the tenant as findings. The words are those of the service's log.

use super::finding::Finding;
use super::kind::FindingKind;
use crate::auth0::{CallError, LookupError, Misconfiguration, TokenError};
use crate::telemetry::chain;

/// The finding for an error that the operator has to correct.
pub(super) fn misconfiguration(reason: &Misconfiguration) -> Finding {
    let kind = match reason {
        Misconfiguration::Credentials => FindingKind::TokenCredentials,
        Misconfiguration::ClientGrant => FindingKind::TokenClientGrant,
        Misconfiguration::UnknownAudience => FindingKind::TokenUnknownAudience,
        Misconfiguration::Audience => FindingKind::TokenAudience,
        Misconfiguration::Grant => FindingKind::TokenGrantType,
        Misconfiguration::TokenRejected => FindingKind::ApiTokenRejected,
        Misconfiguration::Scope => FindingKind::ScopesCreateMissing,
        Misconfiguration::Plan { .. } => FindingKind::ApiPlan,
        Misconfiguration::Script => FindingKind::LiveScriptRejected,
        Misconfiguration::Connection { .. } => FindingKind::ConnectionUnusable,
        Misconfiguration::AttributeRequired(field) => {
            let setting = format!("fields.{field}");
            return Finding::about(FindingKind::AttributesRequired, reason).at(setting);
        }
        Misconfiguration::AttributeNotAccepted(field) => {
            let setting = format!("fields.{field}");
            return Finding::about(FindingKind::AttributesNotAccepted, reason).at(setting);
        }
        Misconfiguration::CustomDomain => FindingKind::CustomDomainAmbiguous,
        Misconfiguration::UnknownCustomDomain => FindingKind::CustomDomainUnknown,
        Misconfiguration::Redirect { .. } => FindingKind::TenantRedirects,
        Misconfiguration::NotAuth0 { .. } => FindingKind::TenantNotAuth0,
        Misconfiguration::Unknown { .. } => FindingKind::ApiUndocumented,
    };
    Finding::about(kind, reason)
}

/// The finding for a token request without a token.
pub(super) fn token(error: &TokenError) -> Finding {
    match error {
        TokenError::Misconfigured(reason @ Misconfiguration::Unknown { .. }) => {
            Finding::about(FindingKind::TokenUndocumented, reason)
        }
        TokenError::Misconfigured(reason) | TokenError::NotAuth0(reason) => {
            misconfiguration(reason)
        }
        TokenError::RateLimited { retry_after } => {
            Finding::about(FindingKind::TokenRateLimited, retry_after.as_secs())
        }
        TokenError::Failed(error) => Finding::about(FindingKind::TokenFailed, chain(error)),
        TokenError::Pending => Finding::about(FindingKind::TokenFailed, error),
    }
}

/// The finding for a call without a result; `None` when the application lacks the scope of the call.
pub(super) fn call(error: &LookupError) -> Option<Finding> {
    let LookupError::Failed(error) = error else { return None };
    Some(match error {
        CallError::Misconfigured(reason) => misconfiguration(reason),
        CallError::RateLimited { retry_after, .. } => {
            Finding::about(FindingKind::ApiRateLimited, retry_after.as_secs())
        }
        CallError::Transport(error) => Finding::about(FindingKind::ApiFailed, chain(error)),
    })
}
