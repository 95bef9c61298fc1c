//! A service in front of an emulated tenant.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use auth0_signup::app::App;
use auth0_signup::clock::SystemClock;
use auth0_signup::config;

/// A new folder for a ledger, deleted with its content on drop.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A folder that does not exist yet: the ledger creates it.
    pub(crate) fn new() -> Self {
        let name = format!("auth0-signup-{:032x}", rand::random::<u128>());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If something is still writing to it, it stays in the system's temporary folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Starts a service in front of this tenant, on free ports, with these variables and the limits of
/// `config/bench.toml`.
pub(crate) async fn start(
    tenant: &Emulator,
    folder: &Folder,
    variables: &[(&str, &str)],
) -> anyhow::Result<App> {
    let database = format!("sqlite://{}", folder.0.join("signup.db").display());
    let needed = [
        ("AUTH0_DOMAIN", tenant.url()),
        ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
        ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
        ("DATABASE_URL", &database),
        ("PORT", "0"),
        ("SIGNUP__ADMIN__PORT", "0"),
    ];
    let all = needed.iter().chain(variables);
    let all = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let settings = config::load(Some(Path::new("config/bench.toml")), all)
        .ok()
        .context("the settings are wrong")?;
    Ok(App::start(settings, Arc::new(SystemClock)).await?)
}
