//! Measures what an attacker achieves against the default settings, and the effect on honest people
//! of other networks.
//!
//! ```console
//! cargo run --release --example attack [NAME]
//! ```
//!
//! Each attack runs against its own service: a process of its own, behind a trusted proxy. Beside it
//! honest people sign up, each from a different address, and solve a proof of work when asked. Prints
//! one row for each attack, and exits with status 1 when a bound is broken: an honest person who did
//! not get through or was asked for a challenge, more memory or more log than allowed, or more calls
//! to the tenant than the limits allow.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "prints figures, and has no shutdown"
)]

mod attackers;
mod captcha_service;
mod forms;
mod honest;
mod report;
mod service;
mod slow;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tokio::runtime::Runtime;
use zeroizing_alloc::ZeroAlloc;

use report::Report;

/// The allocator of the service's binary: this program runs the service too.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    // Each service is this program again.
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return auth0_signup::cli::main();
    }
    let only = std::env::args().nth(1);
    let run = Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let mut report = Report::new(only);
        runtime.block_on(attack(&mut report))?;
        Ok(report.is_within_bounds())
    });
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every attack.
async fn attack(report: &mut Report) -> anyhow::Result<()> {
    service::raise_file_limit()?;
    Report::print_head();
    attackers::from_one_address(report).await?;
    attackers::from_one_site(report).await?;
    attackers::from_one_block(report).await?;
    attackers::from_many_addresses(report).await?;
    attackers::forged_addresses(report).await?;
    attackers::alarm_from_one_address(report).await?;
    attackers::alarm_from_one_site(report).await?;
    attackers::credential_stuffing(report).await?;
    attackers::robots(report).await?;
    attackers::replayed_proof(report).await?;
    attackers::calm_proofs(report).await?;
    attackers::challenge_flood(report).await?;
    attackers::waiting_duplicates(report).await?;
    attackers::levelled_posts(report).await?;
    attackers::exhausted_victim(report).await?;
    attackers::failing_captchas(report).await?;
    attackers::long_heads(report).await?;
    slow::silent(report).await?;
    slow::heads(report).await?;
    slow::bodies(report).await?;
    slow::trickled_bodies(report).await?;
    slow::unread_responses(report).await?;
    slow::everything(report).await
}
