//! The database connection and the custom domains, as far as the token may read them.

use super::check::DoctorCheck;
use super::finding::{Finding, or_ok};
use super::kind::FindingKind;
use super::{policy, tenant_error};
use crate::auth0::connection::{ConnectionOptions, ConnectionRecord, UsernameBounds};
use crate::auth0::{CallError, InspectedToken, Inspector, LookupError, Misconfiguration};
use crate::config::{Auth0Settings, Settings};
use crate::domain::rules::Presence;
use crate::domain::{Field, Rules};
use crate::telemetry::chain;

/// The strategy of a database connection.
const DATABASE: &str = "auth0";

/// The checks that read the connection.
const OF_CONNECTION: [DoctorCheck; 4] = [
    DoctorCheck::Connection,
    DoctorCheck::Attributes,
    DoctorCheck::PublicSignup,
    DoctorCheck::PasswordPolicy,
];

pub(super) async fn check(
    settings: &Settings,
    tenant: &Inspector,
    token: &InspectedToken,
) -> Vec<Finding> {
    let not_checked = || {
        let reason = "the application lacks read:connections, which only this command needs";
        OF_CONNECTION.map(|check| Finding::not_checked(check, reason)).to_vec()
    };
    if !token.may_have("read:connections") {
        return not_checked();
    }
    let name = &settings.auth0.connection;
    let (mut findings, database) = match tenant.connection(token).await {
        Err(LookupError::Forbidden) => return not_checked(),
        Err(LookupError::Failed(CallError::Transport(error))) => {
            let details = vec![name.clone(), chain(&error)];
            (vec![Finding::with(FindingKind::ConnectionUnreadable, details)], None)
        }
        Err(error) => (tenant_error::call(&error).into_iter().collect(), None),
        Ok(None) => (vec![Finding::about(FindingKind::ConnectionMissing, name)], None),
        Ok(Some(found)) if found.strategy != DATABASE => {
            let details = vec![name.clone(), found.strategy];
            (vec![Finding::with(FindingKind::ConnectionNotDatabase, details)], None)
        }
        Ok(Some(found)) => (usable(settings, &found), Some(found)),
    };
    let Some(ConnectionRecord { options, .. }) = database else {
        let [_, dependent @ ..] = OF_CONNECTION;
        let reason = "the connection cannot be read";
        findings.extend(dependent.map(|check| Finding::skipped(check, reason)));
        return findings;
    };
    findings.extend(attributes(&settings.rules, &options));
    findings.push(Finding::new(if options.disable_signup {
        FindingKind::PublicSignupClosed
    } else {
        FindingKind::PublicSignupOpen
    }));
    findings.extend(policy::check(&settings.rules.password, &options));
    findings
}

/// Checks that users can be created in the connection, and can log in.
fn usable(settings: &Settings, connection: &ConnectionRecord) -> Vec<Finding> {
    let Auth0Settings { connection: name, client_id, pin_user_id, .. } = &settings.auth0;
    let mut findings = Vec::new();
    if let Some(enabled) = &connection.enabled_clients {
        if enabled.is_empty() {
            findings.push(Finding::about(FindingKind::ConnectionDisabled, name));
        } else if !enabled.contains(client_id) {
            findings.push(Finding::about(FindingKind::ConnectionNotForClient, name));
        }
        let of_lock = settings.auth0_compat.iter().flat_map(|compat| &compat.client_ids);
        findings.extend(of_lock.filter(|id| !enabled.contains(id)).map(|id| {
            Finding::with(FindingKind::ConnectionNotForLock, vec![name.clone(), id.clone()])
        }));
    }
    if connection.options.is_custom_database && *pin_user_id {
        findings.push(Finding::new(FindingKind::ConnectionCustomDatabase));
    }
    or_ok(findings, Finding::about(FindingKind::ConnectionOk, name))
}

/// Compares `[fields]` with the attributes of the connection.
fn attributes(rules: &Rules, options: &ConnectionOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in [Field::Username, Field::PhoneNumber] {
        let mismatch = match (status(options, field), rules.presence_of(field)) {
            (Presence::Required, Presence::Optional | Presence::Off) => {
                Some(Misconfiguration::AttributeRequired(field))
            }
            (Presence::Off, Presence::Required | Presence::Optional) => {
                Some(Misconfiguration::AttributeNotAccepted(field))
            }
            _ => None,
        };
        findings.extend(mismatch.as_ref().map(tenant_error::misconfiguration));
    }
    if let Some(UsernameBounds { min: Some(min), max: Some(max) }) = options.validation.username
        && rules.presence_of(Field::Username) != Presence::Off
        && (min, max) != (*rules.username.start(), *rules.username.end())
    {
        let bounds = [*rules.username.start(), *rules.username.end(), min, max];
        let details = bounds.map(|bound| bound.to_string()).to_vec();
        findings.push(Finding::with(FindingKind::AttributesUsernameBounds, details));
    }
    let email = options.attributes.as_ref().and_then(|all| all.get(Field::Email.name()));
    if email.is_some_and(|email| email.unique == Some(false)) {
        findings.push(Finding::new(FindingKind::AttributesSharedEmail));
    }
    or_ok(findings, Finding::new(FindingKind::AttributesOk))
}

/// The part of an attribute in a sign-up, by flexible identifiers, else by `requires_username`.
fn status(options: &ConnectionOptions, field: Field) -> Presence {
    if let Some(attributes) = &options.attributes {
        let attribute = attributes.get(field.name());
        return match attribute.and_then(|attribute| attribute.signup.status.as_deref()) {
            Some("required") => Presence::Required,
            Some("optional") => Presence::Optional,
            _ => Presence::Off,
        };
    }
    if field == Field::Username && options.requires_username {
        Presence::Required
    } else if field == Field::Username {
        Presence::Off
    } else {
        // Any connection stores a phone number.
        Presence::Optional
    }
}

/// Checks that a call needs no custom domain, or names one that exists.
pub(super) async fn check_custom_domain(
    settings: &Auth0Settings,
    tenant: &Inspector,
    token: &InspectedToken,
) -> Vec<Finding> {
    let check = DoctorCheck::CustomDomain;
    let reason = "the application lacks read:custom_domains, which only this command needs";
    if !token.may_have("read:custom_domains") {
        return vec![Finding::not_checked(check, reason)];
    }
    let domains = match tenant.custom_domains(token).await {
        Ok(domains) => domains,
        Err(LookupError::Forbidden) => return vec![Finding::not_checked(check, reason)],
        // A plan without custom domains rejects the request.
        Err(LookupError::Failed(CallError::Misconfigured(Misconfiguration::Plan { .. }))) => {
            Vec::new()
        }
        Err(LookupError::Failed(_)) => {
            return vec![Finding::not_checked(check, "the custom domains cannot be read")];
        }
    };
    let ready: Vec<_> = domains.iter().filter(|domain| domain.status == "ready").collect();
    let has_default = ready.iter().any(|domain| domain.is_default);
    vec![match &settings.custom_domain {
        Some(named) if ready.iter().all(|domain| domain.domain != *named) => {
            tenant_error::misconfiguration(&Misconfiguration::UnknownCustomDomain)
        }
        None if ready.len() > 1 && !has_default => {
            tenant_error::misconfiguration(&Misconfiguration::CustomDomain)
        }
        _ => Finding::new(FindingKind::CustomDomainOk),
    }]
}
