//! `auth0-signup doctor`: checks everything that a sign-up depends on, and names the setting to change.
//!
//! One file for each group of checks. [`kind`] has every finding with its text, so that the checks
//! decide and nothing else. Uses the service's own clients and ledger. Creates and changes nothing,
//! except for the test user of [`live`].

mod check;
mod connection;
mod database;
mod finding;
mod kind;
mod live;
mod network;
mod policy;
mod report;
mod secret;
mod settings;
mod tenant_error;
mod token;

use std::sync::Arc;

pub use self::check::{DoctorCheck, Severity};
pub use self::finding::Finding;
pub use self::kind::FindingKind;
pub use self::report::DoctorReport;
use crate::auth0::Inspector;
use crate::clock::Clock;
use crate::config::{ConfigErrors, Settings};

/// Prints the next step for the operator before it starts, in case the command does not finish.
pub type Announce<'a> = &'a (dyn Fn(&str) + Sync);

/// Runs every check, also after one that fails. A check that depends on a failed one is skipped.
///
/// `live` allows the test user, and is called before it is created.
pub async fn examine(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    live: Option<Announce<'_>>,
) -> DoctorReport {
    let mut report = DoctorReport::default();
    report.extend(settings::check(settings));
    report.extend(secret::check(&settings.ledger));
    report.extend(database::check(&settings.ledger).await);
    let reached = network::check(settings, clock, &mut report).await;
    if let Some(tenant) = &reached {
        ask_tenant(settings, tenant, live, &mut report).await;
    } else {
        skip_from(DoctorCheck::Token, "the tenant cannot be reached", live, &mut report);
    }
    report
}

/// The checks of the tenant, each of which needs those before it.
const OF_TENANT: [DoctorCheck; 8] = [
    DoctorCheck::Token,
    DoctorCheck::Scopes,
    DoctorCheck::Api,
    DoctorCheck::Connection,
    DoctorCheck::Attributes,
    DoctorCheck::PublicSignup,
    DoctorCheck::PasswordPolicy,
    DoctorCheck::CustomDomain,
];

/// Reports a check of the tenant, and all that come after it, as skipped.
fn skip_from(
    first: DoctorCheck,
    reason: &'static str,
    live: Option<Announce<'_>>,
    report: &mut DoctorReport,
) {
    let skipped = OF_TENANT.into_iter().skip_while(|check| *check != first);
    report.skip(skipped.chain(live.map(|_| DoctorCheck::Live)), reason);
}

/// The checks that need a token.
async fn ask_tenant(
    settings: &Settings,
    tenant: &Inspector,
    live: Option<Announce<'_>>,
    report: &mut DoctorReport,
) {
    let token = token::request(&settings.auth0, tenant, report).await;
    let Some(token) = token else {
        skip_from(DoctorCheck::Scopes, "there is no token", live, report);
        return;
    };
    report.extend(token::check_scopes(&token));
    let accepted = token::check_api(tenant, &token, report).await;
    if !accepted {
        let reason = "the Management API gave no usable response";
        skip_from(DoctorCheck::Connection, reason, live, report);
        return;
    }
    report.extend(connection::check(settings, tenant, &token).await);
    report.extend(connection::check_custom_domain(&settings.auth0, tenant, &token).await);
    if let Some(announce) = live {
        report.extend(live::check(settings, tenant, &token, announce).await);
    }
}

/// The report on settings that cannot be read. Nothing else can be checked then.
pub fn unreadable(errors: &ConfigErrors) -> DoctorReport {
    let mut report = DoctorReport::default();
    report.extend(
        errors
            .iter()
            .map(|error| Finding::about(FindingKind::SettingsInvalid, error).at(error.key.clone())),
    );
    report
}
