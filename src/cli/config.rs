//! `auth0-signup config check|show|schema`

use clap::{Args, Subcommand};

use super::output::print;
use super::{ConfigArgs, environment};
use crate::config::{self, ConfigErrors, Layers};

/// Check, show or describe the settings.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Read the settings and report every error in them
    Check(Check),
    /// Print every key with its value and origin; secrets are redacted
    Show(ConfigArgs),
    /// Print the JSON Schema of a settings file
    Schema,
}

/// Check the settings.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Check(check) => check.run()?,
            Self::Show(args) => {
                let mut errors = ConfigErrors::default();
                let layers = Layers::read(args.file().as_deref(), environment(), &mut errors);
                print(&config::show(&layers))?;
                if !errors.is_empty() {
                    return Err(errors.into());
                }
            }
            Self::Schema => print(&config::schema())?,
        }
        Ok(())
    }
}

impl Check {
    fn run(&self) -> anyhow::Result<()> {
        let errors = self.config.load().err().unwrap_or_default();
        if self.json {
            print(&format!("{:#}\n", errors.to_json()))?;
        }
        if !errors.is_empty() {
            return Err(errors.into());
        }
        if !self.json {
            print("the settings are complete and valid\n")?;
        }
        Ok(())
    }
}
