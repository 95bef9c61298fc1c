//! The database of the ledger.

use std::path::Path;

use rustix::fs::statvfs;

use super::check::DoctorCheck;
use super::finding::{Finding, or_ok};
use super::kind::FindingKind;
use crate::app::{DatabaseError, ServerFault, StartError};
use crate::config::{Database, LedgerSettings, PostgresUrl, SslMode};
use crate::ledger::{LedgerInspection, OpenError, SessionInspection, existing_folder, inspect};
use crate::telemetry::chain;

const MIB: u64 = 1024 * 1024;

/// Free space below which the ledger may soon not be written: its log alone may take 16 MiB.
const FULL: u64 = 64 * MIB;

/// Free space that a million attempts take.
const LOW: u64 = 1024 * MIB;

pub(super) async fn check(settings: &LedgerSettings) -> Vec<Finding> {
    let mut findings = match inspect(settings).await {
        Ok(inspection) => describe(settings, &inspection),
        Err(error) => {
            let dependent: &[_] = match settings.database {
                Database::Sqlite(_) => &[DoctorCheck::Migrations, DoctorCheck::Privileges],
                Database::Postgres(_) => {
                    &[DoctorCheck::Migrations, DoctorCheck::Privileges, DoctorCheck::Sessions]
                }
            };
            let mut findings = vec![failure(&DatabaseError::explain(settings, error))];
            let skipped = |check: &_| Finding::skipped(*check, "the database cannot be used");
            findings.extend(dependent.iter().map(skipped));
            findings
        }
    };
    match &settings.database {
        Database::Sqlite(path) => findings.push(disk(path)),
        Database::Postgres(url) => {
            let is_insecure =
                |url: PostgresUrl| url.tls.mode < SslMode::VerifyFull && url.is_remote();
            if PostgresUrl::parse(url).is_ok_and(is_insecure) {
                findings.push(Finding::new(FindingKind::DatabaseInsecure));
            }
            let reason = "the disk of a database server is not visible from here";
            findings.push(Finding::not_checked(DoctorCheck::Disk, reason));
        }
    }
    findings
}

/// The finding for a ledger that cannot be opened.
fn failure(error: &StartError) -> Finding {
    let kind = match error {
        StartError::Database(DatabaseError::File { .. }) => FindingKind::DatabaseDenied,
        StartError::Database(
            DatabaseError::Server {
                fault: ServerFault::Rejected | ServerFault::Denied | ServerFault::Tls,
                ..
            }
            | DatabaseError::StatementPooling { .. }
            | DatabaseError::Unusable { .. },
        ) => FindingKind::DatabaseRejected,
        StartError::Ledger(OpenError::Lost { .. } | OpenError::Absent { .. }) => {
            FindingKind::DatabaseLost
        }
        StartError::Ledger(OpenError::Damaged(_)) => FindingKind::DatabaseDamaged,
        StartError::Ledger(OpenError::Foreign { .. }) => FindingKind::DatabaseForeign,
        StartError::Ledger(OpenError::WrongSecret) => FindingKind::DatabaseWrongSecret,
        _ => FindingKind::DatabaseUnreachable,
    };
    Finding::about(kind, chain(error))
}

fn describe(settings: &LedgerSettings, inspection: &LedgerInspection) -> Vec<Finding> {
    let name = match &settings.database {
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres(_) => "the PostgreSQL database".to_owned(),
    };
    let kind = if inspection.is_new { FindingKind::DatabaseNew } else { FindingKind::DatabaseOk };
    let mut findings = vec![Finding::about(kind, name)];
    findings.push(migrations(settings.migrate, inspection));
    findings.extend(privileges(settings.migrate, inspection));
    findings.extend(inspection.session.as_ref().map(session));
    findings
}

fn migrations(migrate: bool, inspection: &LedgerInspection) -> Finding {
    let LedgerInspection { pending, pending_indexes, .. } = *inspection;
    match (pending, pending_indexes, migrate) {
        (0, 0, _) => Finding::new(FindingKind::MigrationsOk),
        (0, indexes, _) => Finding::about(FindingKind::MigrationsIndexes, indexes),
        (pending, _, true) => Finding::about(FindingKind::MigrationsPending, pending),
        (pending, _, false) => Finding::about(FindingKind::MigrationsBlocked, pending),
    }
}

fn privileges(migrate: bool, inspection: &LedgerInspection) -> Vec<Finding> {
    let mut findings: Vec<_> = inspection
        .unwritable
        .iter()
        .map(|name| Finding::about(FindingKind::PrivilegesMissing, name))
        .collect();
    let is_denied = migrate && inspection.pending > 0 && !inspection.may_create;
    if is_denied && findings.is_empty() {
        findings.push(Finding::new(FindingKind::PrivilegesNoCreate));
    }
    or_ok(findings, Finding::new(FindingKind::PrivilegesOk))
}

fn session(session: &SessionInspection) -> Finding {
    let SessionInspection { is_pooled, is_read_only, isolation } = session;
    match (is_read_only, is_pooled) {
        (true, _) => Finding::new(FindingKind::SessionsReadOnly),
        (false, true) => Finding::new(FindingKind::SessionsPooled),
        (false, false) if isolation != "read committed" => {
            Finding::about(FindingKind::SessionsIsolation, isolation)
        }
        (false, false) => Finding::new(FindingKind::SessionsOk),
    }
}

/// The free space of the disk that the ledger is on, or will be.
fn disk(database: &Path) -> Finding {
    let Ok(space) = statvfs(existing_folder(database)) else {
        return Finding::not_checked(
            DoctorCheck::Disk,
            "the system does not report its free space",
        );
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let kind = match free {
        0..FULL => FindingKind::DiskFull,
        FULL..LOW => FindingKind::DiskLow,
        LOW.. => FindingKind::DiskOk,
    };
    Finding::about(kind, format_args!("{} MiB", free / MIB))
}
