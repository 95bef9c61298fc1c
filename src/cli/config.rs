//! `auth0-signup config check|show|schema`

use clap::Subcommand;

use super::output::print;
use super::{ConfigArgs, environment};
use crate::config::{self, ConfigErrors, Layers};

/// Check, show or describe the settings.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Read the settings and report every error in them
    Check(ConfigArgs),
    /// Print every key with its value and origin; secrets are redacted
    Show(ConfigArgs),
    /// Print the JSON Schema of a settings file
    Schema,
}

impl Config {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Check(args) => {
                config::load(args.file.as_deref(), environment())?;
                print("the settings are complete and valid\n")?;
            }
            Self::Show(args) => {
                let mut errors = ConfigErrors::default();
                let file = args.file.as_deref();
                let layers = Layers::read(file, environment(), &mut errors)?;
                print(&config::show(&layers))?;
                if !errors.is_empty() {
                    return Err(errors.into());
                }
            }
            Self::Schema => print(&config::schema()?)?,
        }
        Ok(())
    }
}
