//! Inspection of a file, beside a service that may be running.

use std::path::{Path, PathBuf};

use rustix::fs::{Access as AccessMode, AtFlags, CWD, accessat};

use super::open::{OPEN_WAIT, blocking};
use super::{file, schema};
use crate::digest::DigestPair;
use crate::ledger::files::{existing_folder, sibling};
use crate::ledger::inspect::LedgerInspection;
use crate::ledger::migrations::{SQLITE, pending};
use crate::ledger::secret_key::SecretFile;
use crate::ledger::{LedgerError, OpenError};

/// The database library's report about a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadFile(String);

/// Inspects the file. `secrets` are the check values of the settings' secrets, if there are any.
///
/// # Errors
/// When it is another program's, was written with another secret, was lost, is damaged, or cannot be read.
pub(crate) async fn inspect(
    path: PathBuf,
    secret_file: SecretFile,
    secrets: Option<DigestPair>,
) -> Result<LedgerInspection, OpenError> {
    blocking(move || {
        file::reject_lost(&path, &secret_file)?;
        let applied =
            if file::length(&path)? > 0 { read(&path, secrets.as_ref())? } else { Vec::new() };
        let unwritable = unwritable(&path);
        Ok(LedgerInspection {
            is_new: applied.is_empty(),
            pending: pending(&SQLITE, &applied).count(),
            may_create: unwritable.is_empty(),
            unwritable,
            ..LedgerInspection::default()
        })
    })
    .await
}

/// Reads the applied migrations of a ledger with one of these secrets.
fn read(path: &Path, secrets: Option<&DigestPair>) -> Result<Vec<(i32, i64)>, OpenError> {
    let connection = file::connect_read_only(path, OPEN_WAIT)?;
    schema::check(&connection, path)?;
    let report: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if report != "ok" {
        return Err(LedgerError::corrupt(BadFile(report)).into());
    }
    let applied = schema::applied(&connection)?;
    if let Some(secrets) = secrets.filter(|_| !applied.is_empty())
        && !schema::knows(&connection, secrets)?
    {
        return Err(OpenError::WrongSecret);
    }
    Ok(applied)
}

/// The file, those beside it, and their folder, as far as this user cannot write them.
fn unwritable(path: &Path) -> Vec<String> {
    let folder = existing_folder(path).to_owned();
    let files = [path.to_owned(), sibling(path, "-wal"), sibling(path, "-shm")];
    let existing = files.into_iter().filter(|path| path.exists()).chain([folder]);
    let denied = existing
        .filter(|path| accessat(CWD, path, AccessMode::WRITE_OK, AtFlags::EACCESS).is_err());
    denied.map(|path| path.display().to_string()).collect()
}
