//! The secret of the keyed digests, and the file that it is in.

use super::finding::Finding;
use super::kind::FindingKind;
use crate::app::DatabaseError;
use crate::config::LedgerSettings;
use crate::ledger::{KeyError, SecretLocation, secret_location};
use crate::telemetry::chain;

pub(super) fn check(settings: &LedgerSettings) -> Vec<Finding> {
    let found = match secret_location(settings) {
        Ok(SecretLocation::Settings) => Finding::about(FindingKind::SecretOk, "in the settings"),
        Ok(SecretLocation::New) => {
            Finding::about(FindingKind::SecretOk, "generated at the first start")
        }
        Ok(SecretLocation::File { path, is_beside: true }) => {
            Finding::about(FindingKind::SecretBeside, path.display())
        }
        Ok(SecretLocation::File { path, is_beside: false }) => {
            let place = format!("in {}, which others cannot read", path.display());
            Finding::about(FindingKind::SecretOk, place)
        }
        Err(error) => {
            let kind = match &error {
                KeyError::Exposed { .. } => FindingKind::SecretExposed,
                KeyError::Short { .. } => FindingKind::SecretShort,
                KeyError::Missing { .. } | KeyError::Absent { .. } | KeyError::Required => {
                    FindingKind::SecretMissing
                }
                KeyError::File { .. } => FindingKind::SecretUnreadable,
            };
            Finding::about(kind, chain(&DatabaseError::explain(settings, error)))
        }
    };
    let rotating = settings.previous_secret_key.is_some();
    let rotating = rotating.then(|| Finding::new(FindingKind::SecretRotating));
    [found].into_iter().chain(rotating).collect()
}
