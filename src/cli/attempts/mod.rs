//! `auth0-signup attempts`: the recorded sign-up attempts, for operators who handle a complaint.
//!
//! Works beside a running service. An e-mail address is read from stdin, never from an argument:
//! arguments appear in process lists and in the shell's history.

mod reconcile;
mod view;

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use self::view::AttemptView;
use super::output::{format_attempts, print, print_to_stderr};
use super::{ConfigArgs, block_on, exit_status};
use crate::app::operator::OperatorContext;
use crate::clock::SystemClock;
use crate::digest::{DigestPair, Digests};
use crate::domain::EmailAddress;
use crate::domain::invisible::{self, is_invisible};
use crate::ledger::{Attempt, AttemptState, Find};

/// The maximum number of bytes read for an address, which has at most 254 characters.
const MAX_INPUT: u64 = 4 * 1024;

/// List, find, reconcile or remove recorded sign-up attempts.
#[derive(Debug, Args)]
pub(super) struct Attempts {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON object on each line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: AttemptsCommand,
}

#[derive(Debug, Subcommand)]
enum AttemptsCommand {
    #[command(flatten)]
    OnLedger(LedgerCommand),
    /// Look up one attempt, or all unresolved ones, at Auth0 now and record the result
    Reconcile {
        /// The attempt's id [default: the latest 1,000 that are open or unknown]
        id: Option<Uuid>,
    },
}

/// The commands that need only the settings of the ledger.
#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Print the latest attempts, newest first
    List {
        /// Only attempts in this state
        #[arg(long, value_parser = state_parser())]
        state: Option<AttemptState>,
        /// The number of attempts
        #[arg(long, value_name = "N", default_value = "50")]
        limit: NonZeroUsize,
    },
    /// Print everything recorded about one attempt
    Show {
        /// The attempt's id
        id: Uuid,
    },
    /// Print everything recorded about the attempts of a request or of an e-mail address
    Find {
        #[command(flatten)]
        by: Search,
        /// The number of attempts, latest first [default: all]
        #[arg(long, value_name = "N")]
        limit: Option<NonZeroUsize>,
    },
    /// Remove every attempt of an e-mail address
    Forget {
        /// Read the e-mail address from standard input
        #[arg(long, required = true)]
        email: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Search {
    /// The request's id: `X-Request-Id`, or `request_id` in the problem
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Read an e-mail address from standard input
    #[arg(long)]
    email: bool,
}

impl Attempts {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        block_on(self.run_async())?
    }

    async fn run_async(&self) -> anyhow::Result<ExitCode> {
        let command = match &self.command {
            AttemptsCommand::OnLedger(command) => command,
            AttemptsCommand::Reconcile { id } => {
                return reconcile::run(&self.config.load()?, *id, self.json).await;
            }
        };
        let settings = self.config.load_ledger()?;
        let context = OperatorContext::open(&settings, Arc::new(SystemClock)).await?;
        let result = self.run_on_ledger(&context, command).await;
        context.close().await;
        result
    }

    async fn run_on_ledger(
        &self,
        context: &OperatorContext,
        command: &LedgerCommand,
    ) -> anyhow::Result<ExitCode> {
        match command {
            LedgerCommand::List { state, limit } => {
                let by = state.map_or(Find::All, Find::State);
                let attempts = context.ledger.find(by, limit.get()).await?;
                self.print(&attempts, view::table)?;
                hint_at_more(attempts.len(), *limit);
                Ok(ExitCode::SUCCESS)
            }
            LedgerCommand::Show { id } => {
                let attempt = context.ledger.get((*id).into()).await?;
                self.print_found(attempt.as_slice())
            }
            LedgerCommand::Find { by, limit } => {
                let find = match &by.request_id {
                    Some(id) => Find::RequestId(id.clone()),
                    None => Find::Email(read_address(context.digests())?),
                };
                let limit = limit.unwrap_or(NonZeroUsize::MAX);
                let attempts = context.ledger.find(find, limit.get()).await?;
                hint_at_more(attempts.len(), limit);
                self.print_found(&attempts)
            }
            LedgerCommand::Forget { email: _ } => {
                let removed =
                    context.ledger.delete_by_email(&read_address(context.digests())?).await?;
                print(&if self.json {
                    format!("{}\n", json!({ "removed": removed }))
                } else {
                    format!("removed {}\n", format_attempts(removed))
                })?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// Prints every value of the attempts found.
    fn print_found(&self, attempts: &[Attempt]) -> anyhow::Result<ExitCode> {
        if attempts.is_empty() {
            print_to_stderr("there is no such attempt");
        }
        self.print(attempts, view::details)?;
        Ok(exit_status(!attempts.is_empty()))
    }

    fn print(
        &self,
        attempts: &[Attempt],
        text: fn(&[AttemptView]) -> String,
    ) -> anyhow::Result<()> {
        let views: Vec<_> = attempts.iter().map(AttemptView::new).collect();
        print(&if self.json { views.iter().map(AttemptView::json).collect() } else { text(&views) })
    }
}

fn hint_at_more(found: usize, limit: NonZeroUsize) {
    if found == limit.get() {
        print_to_stderr("these are the latest; there may be more (--limit)");
    }
}

/// Reads an address from stdin by the rules of a form, which removes invisible characters around it and
/// rejects others. Returns its digests.
fn read_address(digests: &Digests) -> anyhow::Result<DigestPair> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        print_to_stderr("type the e-mail address, then Enter");
    }
    let mut line = String::new();
    let read = stdin.lock().take(MAX_INPUT).read_line(&mut line);
    read.context("standard input cannot be read")?;
    // The error does not repeat the input: it may end up in a log.
    let address = invisible::trim(&line)
        .filter(|text| !text.chars().any(is_invisible))
        .and_then(|text| EmailAddress::parse(text).ok())
        .ok_or_else(|| {
            anyhow!("standard input holds no e-mail address that a form would accept")
        })?;
    Ok(digests.email(address.as_ref()))
}

fn state_parser() -> impl TypedValueParser<Value = AttemptState> {
    let named = |name: String| AttemptState::ALL.into_iter().find(|state| state.name() == name);
    PossibleValuesParser::new(AttemptState::ALL.map(AttemptState::name))
        .try_map(move |name| named(name).ok_or_else(|| anyhow!("no such state")))
}
