//! The secret of every keyed digest: from the settings, or made once beside an SQLite file.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Digests;
use crate::config::{Database, LedgerSettings};

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("cannot read or make the secret in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The database is there and its secret is not: a new one could not read it.
    #[error("{} is there but its secret is not: put {} back, or set secrets.key", database.display(), path.display())]
    Missing {
        /// The database's file.
        database: PathBuf,
        /// The secret's file.
        path: PathBuf,
    },
    /// The file is there and holds no secret.
    #[error("{} holds no secret of at least 32 bytes", path.display())]
    Short {
        /// The file.
        path: PathBuf,
    },
    /// PostgreSQL is shared, and a secret made here would not be.
    #[error("secrets.key is needed with PostgreSQL")]
    Needed,
}

/// The digests of this deployment.
///
/// # Errors
/// When the settings have no secret and none can be read or made beside the SQLite file.
pub fn digests(settings: &LedgerSettings) -> Result<Digests, KeyError> {
    let current = match (&settings.secret_key, &settings.database) {
        (Some(secret), _) => secret.clone(),
        (None, Database::Sqlite(database)) => beside(database)?,
        (None, Database::Postgres(_)) => return Err(KeyError::Needed),
    };
    Ok(Digests::new(&current, settings.previous_secret_key.as_ref()))
}

/// The secret in the file beside this database; made when neither is there.
fn beside(database: &Path) -> Result<SecretString, KeyError> {
    let path = sibling(database, ".key");
    let failed = |source| KeyError::File { path: path.clone(), source };
    if !fs::exists(&path).map_err(failed)? {
        // An empty file is a database that was never opened.
        if fs::metadata(database).is_ok_and(|file| file.len() > 0) {
            return Err(KeyError::Missing { database: database.to_owned(), path });
        }
        make_folder(database).and_then(|()| make(&path)).map_err(failed)?;
    }
    let secret = fs::read_to_string(&path).map_err(failed)?;
    let secret = secret.trim();
    if secret.len() < 32 {
        return Err(KeyError::Short { path });
    }
    Ok(secret.to_owned().into())
}

/// Makes the file whole or not at all; of two processes that start together, one makes it.
fn make(path: &Path) -> io::Result<()> {
    let draft = sibling(path, &format!(".{:016x}", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let (high, low): (u128, u128) = rand::random();
    let written = writeln!(file, "{high:032x}{low:032x}").and_then(|()| file.sync_all());
    // A link, unlike a rename, does not replace what another process made in the meantime.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    linked?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(or_here(folder))?.sync_all())
}

/// Makes the folder of this file, for its owner only.
pub(super) fn make_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(or_here(folder))
}

/// The parent of a bare file name is an empty path, which the system does not know.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// A file beside this one: its name with something put after it.
pub(super) fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
