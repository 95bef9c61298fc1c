//! `auth0-signup config check|show|schema`

use clap::Subcommand;

use super::output::print;
use super::{ConfigArgs, environment};
use crate::config::{self, ConfigErrors, Layers};

/// Check, show or describe the settings.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Read the settings and tell all that is wrong with them
    Check(ConfigArgs),
    /// Print every key, its value and where it comes from; secrets are redacted
    Show(ConfigArgs),
    /// Print the JSON Schema of a settings file
    Schema,
}

impl Config {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Check(layered) => {
                config::load(layered.config.as_deref(), environment())?;
                print("the settings are complete and valid\n")?;
            }
            Self::Show(layered) => {
                let mut faults = ConfigErrors::default();
                let file = layered.config.as_deref();
                let layers = Layers::read(file, environment(), &mut faults)?;
                print(&config::show(&layers))?;
                if !faults.is_empty() {
                    return Err(faults.into());
                }
            }
            Self::Schema => print(&config::schema()?)?,
        }
        Ok(())
    }
}
