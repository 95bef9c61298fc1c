//! The files of a ledger, and their folder.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::process::geteuid;

/// Syncs the folder of this file, so that a new name in it survives a loss of power.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| fs::File::open(or_current(folder))?.sync_all())
}

/// Creates the folder of this file, accessible to its owner only.
pub(super) fn create_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(or_current(folder))
}

/// Gives a file this owner, which only root can: an operator may be root, and the service is not.
pub(super) fn set_owner(file: &Path, owner: &fs::Metadata) -> io::Result<()> {
    if geteuid().is_root() {
        return chown(file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

/// The folder of this file, or the nearest one above that exists.
pub fn existing_folder(file: &Path) -> &Path {
    let folder = file.ancestors().skip(1).map(or_current).find(|folder| folder.exists());
    folder.unwrap_or_else(|| Path::new("/"))
}

/// Replaces the empty parent of a bare file name, which the system rejects.
pub(super) fn or_current(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The path of a file beside this one, with this suffix.
pub(super) fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
