//! The secret of every keyed digest: from the settings, or created once for an SQLite file.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::files::{create_folder, existing_folder, sibling, sync_folder};
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
    /// A backup cannot be restored without the secret that it was written with.
    #[error("there is no secret in {}: put it back, or set secrets.key", path.display())]
    Absent {
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
    digests_from(settings, |database, file| {
        file.warn_if_moved(settings);
        file.read_or_create(database)
    })
}

/// Returns the digests of this deployment, whose secret must exist.
///
/// # Errors
/// When the settings have no secret and none can be read for the SQLite file.
pub(super) fn existing_digests(settings: &LedgerSettings) -> Result<Digests, KeyError> {
    digests_from(settings, |_, file| file.read()?.ok_or(KeyError::Absent { path: file.path }))
}

/// The place of the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretLocation {
    /// The settings have it.
    Settings,
    /// A file that exists.
    File {
        /// The file.
        path: PathBuf,
        /// True if it is in the database's folder.
        is_beside: bool,
    },
    /// Nowhere yet: the first start creates it.
    New,
}

/// Returns the place of the secret, and creates nothing.
///
/// # Errors
/// When it cannot be used, is missing beside a database that exists, or cannot be created.
pub fn secret_location(settings: &LedgerSettings) -> Result<SecretLocation, KeyError> {
    let database = match (&settings.secret_key, &settings.database) {
        (Some(_), _) => return Ok(SecretLocation::Settings),
        (None, Database::Sqlite(database)) => database,
        (None, Database::Postgres(_)) => return Err(KeyError::Required),
    };
    let file = SecretFile::new(database, settings);
    if file.read()?.is_some() {
        let is_beside = file.path.parent() == database.parent();
        return Ok(SecretLocation::File { path: file.path, is_beside });
    }
    if was_opened(database) {
        return Err(KeyError::Missing { database: database.clone(), path: file.path });
    }
    let path = file.new_path();
    match access(existing_folder(&path), Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Ok(SecretLocation::New),
        Err(error) => Err(KeyError::File { path, source: error.into() }),
    }
}

fn digests_from(
    settings: &LedgerSettings,
    read: impl FnOnce(&Path, SecretFile) -> Result<SecretString, KeyError>,
) -> Result<Digests, KeyError> {
    let current = match (&settings.secret_key, &settings.database) {
        (Some(secret), _) => secret.clone(),
        (None, Database::Sqlite(database)) => read(database, SecretFile::new(database, settings))?,
        (None, Database::Postgres(_)) => return Err(KeyError::Required),
    };
    Ok(Digests::new(&current, settings.previous_secret_key.as_ref()))
}

/// The file of a secret that was created for an SQLite ledger.
#[derive(Debug, Clone)]
pub(super) struct SecretFile {
    /// The secret of a ledger that was opened at least once.
    path: PathBuf,
}

impl SecretFile {
    /// The file that the settings name, or the one beside the database. Where only the latter
    /// exists, it is used.
    pub(super) fn new(database: &Path, settings: &LedgerSettings) -> Self {
        let beside = Self { path: sibling(database, ".key") };
        let Some(path) = settings.secret_key_path.clone() else { return beside };
        let named = Self { path };
        if beside.exists() && !named.exists() { beside } else { named }
    }

    fn warn_if_moved(&self, settings: &LedgerSettings) {
        let Some(named) = settings.secret_key_path.as_ref().filter(|named| **named != self.path)
        else {
            return;
        };
        tracing::warn!(
            "the secret is beside its database, so a copy of the folder has both: move {} to {}",
            self.path.display(),
            named.display()
        );
    }

    /// The secret of a ledger that is being created. So a process that dies in the middle leaves no
    /// secret that looks like the rest of a lost ledger.
    fn new_path(&self) -> PathBuf {
        sibling(&self.path, ".new")
    }

    /// Returns whether the secret of a ledger that was opened before is here.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Keeps a new secret, now that the ledger was written with it. One that is here already stays: the new
    /// one is then left from a start that failed before somebody put the ledger's own secret here.
    pub(super) fn keep_new(&self) -> io::Result<()> {
        let new = self.new_path();
        match fs::hard_link(&new, &self.path) {
            // The secret is not new, or is in the settings.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !self.exists() {
                    // A link to a file that does not exist.
                    fs::rename(&new, &self.path)?;
                }
            }
            linked => linked?,
        }
        match fs::remove_file(&new) {
            // Another process has kept it too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        sync_folder(&self.path)
    }

    /// Reads the secret; creates it if neither it nor the database exists.
    fn read_or_create(self, database: &Path) -> Result<SecretString, KeyError> {
        if let Some(secret) = self.read()? {
            return Ok(secret);
        }
        if was_opened(database) {
            return Err(KeyError::Missing { database: database.to_owned(), path: self.path });
        }
        let new = self.new_path();
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| KeyError::File { path, source }
        };
        create_folder(database).map_err(failed(database))?;
        create_folder(&new).and_then(|()| create(&new)).map_err(failed(&new))?;
        let secret = self.read()?;
        secret.ok_or(KeyError::Missing { database: database.to_owned(), path: self.path })
    }

    fn read(&self) -> Result<Option<SecretString>, KeyError> {
        // Again the first one: another process may have kept its new secret between the two.
        for path in [&self.path, &self.new_path(), &self.path] {
            if let Some(secret) = read(path)? {
                return Ok(Some(secret));
            }
        }
        Ok(None)
    }
}

/// Returns whether a database was opened before. An empty file was not, and a folder is none.
fn was_opened(database: &Path) -> bool {
    fs::metadata(database).is_ok_and(|file| file.is_file() && file.len() > 0)
}

fn read(path: &Path) -> Result<Option<SecretString>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let secret = match fs::read_to_string(path) {
        Ok(secret) => Zeroizing::new(secret),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = match fs::metadata(path) {
        Ok(file) => file.permissions().mode() & 0o777,
        // It was renamed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // The group may read it: Kubernetes gives a volume's files to the pod's own group.
    if mode & 0o007 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let secret = secret.trim();
    if secret.len() < 32 {
        return Err(KeyError::Short { path: path.to_owned() });
    }
    Ok(Some(secret.into()))
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
    sync_folder(path)
}
