//! `auth0-signup attempts`: what the ledger knows of sign-ups, for whoever answers a complaint.
//!
//! Works beside a running service. An e-mail address is read from stdin and never an argument:
//! arguments show in process lists and in the shell's history.

mod reconcile;
mod view;

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use self::view::AttemptView;
use super::output::print;
use super::{ConfigArgs, answer, block_on, environment, print_hint};
use crate::app::operator::OperatorContext;
use crate::clock::SystemClock;
use crate::config;
use crate::domain::EmailAddress;
use crate::ledger::{Attempt, AttemptState, DigestPair, Digests, Find};

/// The most bytes that are read in search of an address, which has at most 254 characters.
const MAX_INPUT: u64 = 4 * 1024;

/// Look at what the ledger knows of sign-ups, settle it, or forget it.
#[derive(Debug, Args)]
pub(super) struct Attempts {
    #[command(flatten)]
    layered: ConfigArgs,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the latest attempts, newest first
    List {
        /// Only those in this state
        #[arg(long, value_parser = state_parser())]
        state: Option<AttemptState>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Print all that is known of one attempt
    Show {
        /// The attempt
        id: Uuid,
    },
    /// Print all that is known of the attempts of a request or of an e-mail address
    Find {
        #[command(flatten)]
        by: By,
        /// How many, of the latest
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Ask Auth0 now what came of an attempt, or of all that are not settled
    Settle {
        /// The attempt [default: all that are open or unknown]
        id: Option<Uuid>,
    },
    /// Remove every attempt of an e-mail address
    Forget {
        #[command(flatten)]
        whom: Whom,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct By {
    /// The request's id: `X-Request-Id`, or `request_id` of the problem
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The e-mail address on standard input
    #[arg(long)]
    email: bool,
}

#[derive(Debug, Args)]
#[group(required = true)]
struct Whom {
    /// The e-mail address on standard input
    #[arg(long)]
    email: bool,
}

impl Attempts {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        block_on(self.run_async())?
    }

    async fn run_async(&self) -> anyhow::Result<ExitCode> {
        let file = self.layered.config.as_deref();
        if let Command::Settle { id } = self.command {
            return reconcile::run(&config::load(file, environment())?, id, self.json).await;
        }
        let settings = config::load_ledger(file, environment())?;
        let desk = OperatorContext::open(&settings, Arc::new(SystemClock)).await?;
        let result = self.ask(&desk).await;
        desk.close().await;
        result
    }

    async fn ask(&self, desk: &OperatorContext) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::List { state, limit } => {
                let by = state.map_or(Find::All, Find::State);
                let attempts = desk.ledger.find(by, *limit).await?;
                self.print(&attempts, view::table)?;
                note_more(attempts.len(), *limit);
                Ok(ExitCode::SUCCESS)
            }
            Command::Show { id } => {
                let attempt = desk.ledger.get((*id).into()).await?;
                self.print_found(attempt.as_slice())
            }
            Command::Find { by, limit } => {
                let find = match &by.request_id {
                    Some(id) => Find::RequestId(id.clone()),
                    None => Find::Email(address(&desk.digests)?),
                };
                let attempts = desk.ledger.find(find, *limit).await?;
                note_more(attempts.len(), *limit);
                self.print_found(&attempts)
            }
            Command::Forget { whom: Whom { email: _ } } => {
                let removed = desk.ledger.delete_by_email(&address(&desk.digests)?).await?;
                print(&if self.json {
                    format!("{}\n", json!({ "removed": removed }))
                } else {
                    format!("removed {}\n", view::count(removed))
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Settle { .. } => Err(anyhow!("settling needs every setting")),
        }
    }

    /// Everything that is known of what was looked for.
    fn print_found(&self, attempts: &[Attempt]) -> anyhow::Result<ExitCode> {
        if attempts.is_empty() {
            print_hint("there is no such attempt");
        }
        self.print(attempts, view::details)?;
        Ok(answer(!attempts.is_empty()))
    }

    fn print(
        &self,
        attempts: &[Attempt],
        text: fn(&[AttemptView]) -> String,
    ) -> anyhow::Result<()> {
        let shown: Vec<_> = attempts.iter().map(AttemptView::new).collect();
        print(&if self.json { shown.iter().map(AttemptView::json).collect() } else { text(&shown) })
    }
}

fn note_more(found: usize, limit: usize) {
    if found == limit {
        print_hint("these are the latest; there may be more (--limit)");
    }
}

/// The digests of the address on stdin: trimmed and lower-cased as in a form.
fn address(digests: &Digests) -> anyhow::Result<DigestPair> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        print_hint("type the e-mail address, then Enter");
    }
    let mut line = String::new();
    let read = stdin.lock().take(MAX_INPUT).read_line(&mut line);
    read.context("standard input cannot be read")?;
    // What was typed is not repeated: this goes where it may be kept.
    let address = EmailAddress::parse(line.trim())
        .map_err(|_| anyhow!("standard input holds no e-mail address that Auth0 would take"))?;
    Ok(digests.email(address.as_ref()))
}

fn state_parser() -> impl TypedValueParser<Value = AttemptState> {
    let named = |name: String| AttemptState::ALL.into_iter().find(|state| state.name() == name);
    PossibleValuesParser::new(AttemptState::ALL.map(AttemptState::name))
        .try_map(move |name| named(name).ok_or_else(|| anyhow!("no such state")))
}
