//! The secret of every keyed digest: from the settings, or created once for an SQLite file.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::config::{Database, LedgerSettings};
use crate::digest::Digests;

/// A missing or unusable secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or created.
    #[error("cannot read or create the secret in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The database exists and its secret does not: a new secret could not read it.
    #[error("{} exists but its secret does not: restore {}, or set secrets.key", database.display(), path.display())]
    Missing {
        /// The database file.
        database: PathBuf,
        /// The secret file.
        path: PathBuf,
    },
    /// The file exists, but its secret is too short.
    #[error("the secret in {} has less than 32 bytes", path.display())]
    Short {
        /// The file.
        path: PathBuf,
    },
    /// Every user of the machine can read the file.
    #[error("others can read the secret in {0} (mode {mode:04o}): run chmod 600 {0}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Replicas share PostgreSQL, but would not share a secret created here.
    #[error("secrets.key is required with PostgreSQL")]
    Required,
}

/// Returns the digests of this deployment.
///
/// # Errors
/// When the settings have no secret and none can be read or created for the SQLite file.
pub fn digests(settings: &LedgerSettings) -> Result<Digests, KeyError> {
    let current = match (&settings.secret_key, &settings.database) {
        (Some(secret), _) => secret.clone(),
        (None, Database::Sqlite(database)) => {
            read_or_create(database, settings.secret_key_path.as_deref())?
        }
        (None, Database::Postgres(_)) => return Err(KeyError::Required),
    };
    Ok(Digests::new(&current, settings.previous_secret_key.as_ref()))
}

/// Reads the secret file of this database; creates it if neither exists.
fn read_or_create(database: &Path, path: Option<&Path>) -> Result<SecretString, KeyError> {
    let path = locate(database, path)?;
    let failed = |source| KeyError::File { path: path.clone(), source };
    if !fs::exists(&path).map_err(failed)? {
        // An empty file is a database that was never opened.
        if fs::metadata(database).is_ok_and(|file| file.len() > 0) {
            return Err(KeyError::Missing { database: database.to_owned(), path });
        }
        create_folder(database)
            .and_then(|()| create_folder(&path))
            .and_then(|()| create(&path))
            .map_err(failed)?;
    }
    let mode = fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o777;
    // The group may read it: Kubernetes gives a volume's files to the pod's own group.
    if mode & 0o007 != 0 {
        return Err(KeyError::Exposed { path, mode });
    }
    let secret = Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
    let secret = secret.trim();
    if secret.len() < 32 {
        return Err(KeyError::Short { path });
    }
    Ok(secret.into())
}

/// The path of the secret file: the one in the settings, or beside the database. Where only the
/// latter exists, it is used and a warning says how to move it.
fn locate(database: &Path, path: Option<&Path>) -> Result<PathBuf, KeyError> {
    let beside = sibling(database, ".key");
    let Some(path) = path else { return Ok(beside) };
    let exists = |path: &Path| {
        fs::exists(path).map_err(|source| KeyError::File { path: path.to_owned(), source })
    };
    if exists(path)? || !exists(&beside)? {
        return Ok(path.to_owned());
    }
    tracing::warn!(
        "the secret is beside its database, so a copy of the folder has both: move {} to {}",
        beside.display(),
        path.display()
    );
    Ok(beside)
}

/// Creates the whole file or nothing. If two processes start together, one of them creates it.
fn create(path: &Path) -> io::Result<()> {
    let draft = sibling(path, &format!(".{:016x}", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let (high, low): (u128, u128) = rand::random();
    let written = writeln!(file, "{high:032x}{low:032x}").and_then(|()| file.sync_all());
    // A link, unlike a rename, does not replace a file that another process created meanwhile.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    linked?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(or_current(folder))?.sync_all())
}

/// Creates the folder of this file, accessible to its owner only.
pub(super) fn create_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(or_current(folder))
}

/// Replaces the empty parent of a bare file name, which the system rejects.
fn or_current(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The path of a file beside this one, with this suffix.
pub(super) fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
