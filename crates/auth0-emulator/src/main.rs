//! `auth0-emulator`: the emulated Auth0 tenant as a standalone program.

mod args;
mod output;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::args::EmulatorArgs;

/// Runs until a signal stops it.
#[tokio::main]
async fn main() -> ExitCode {
    match run(EmulatorArgs::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Starts the emulator, prints its settings, and waits for a signal.
async fn run(args: EmulatorArgs) -> anyhow::Result<()> {
    let ca_file = args.ca_out();
    // Registered first, so that a signal sent as soon as the program is ready is not lost.
    let stop_signal = stop_signal()?;
    let auth0 = args.builder()?.start().await.context("cannot start the emulator")?;
    if let Some(pem) = auth0.ca_pem() {
        std::fs::write(&ca_file, pem).with_context(|| {
            format!("cannot write the CA's certificate to {}", ca_file.display())
        })?;
    }
    output::print_settings(&auth0, &ca_file);
    stop_signal.await;
    auth0.shutdown().await;
    Ok(())
}

/// Registers for Ctrl-C and SIGTERM. The future completes at the first of them.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Registers for Ctrl-C. The future completes when it is received.
#[cfg(windows)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
