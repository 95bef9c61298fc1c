//! `auth0-signup doctor`: checks everything that a sign-up depends on.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::output::{print, print_to_stderr};
use super::{ConfigArgs, block_on};
use crate::clock::{Clock, SystemClock};
use crate::doctor::{self, Announce, DoctorReport, Severity};

/// Check everything that a sign-up depends on.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also create a test user, look it up and delete it; needs the scope delete:users
    #[arg(long)]
    live: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Returns status 0 if nothing is an error, else 1. Settings that cannot be read are an error.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = match self.config.load() {
            Ok(settings) => settings,
            Err(errors) => {
                if self.json {
                    self.print(&doctor::unreadable(&errors))?;
                }
                return Err(errors.into());
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let announce: Announce<'_> = &print_to_stderr;
        let live = self.live.then_some(announce);
        // Boxed: the future holds every check and is large.
        let report = block_on(Box::pin(doctor::examine(&settings, &clock, live)))?;
        self.print(&report)?;
        Ok(match report.status() {
            Severity::Ok | Severity::Warning => ExitCode::SUCCESS,
            Severity::Error => ExitCode::FAILURE,
        })
    }

    fn print(&self, report: &DoctorReport) -> anyhow::Result<()> {
        if self.json {
            print(&format!("{:#}\n", report.to_json()))
        } else {
            print(&report.to_text())
        }
    }
}
