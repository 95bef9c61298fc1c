//! What the program prints: the settings to use, and what went wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its terminal")]

use std::path::Path;

use auth0_emulator::Emulator;

/// Prints how to reach the emulator, one `NAME=value` a line.
pub(crate) fn settings(auth0: &Emulator, ca_file: &Path) {
    let (client_id, client_secret, connection) = auth0.tenant(|tenant| {
        (tenant.client_id.clone(), tenant.client_secret.clone(), tenant.connection.clone())
    });
    println!("AUTH0_URL={}", auth0.url());
    if let Some(url) = auth0.tls_url() {
        println!("AUTH0_TLS_URL={url}");
        println!("AUTH0_CA_FILE={}", ca_file.display());
    }
    println!("AUTH0_AUDIENCE={}", auth0.audience());
    println!("AUTH0_CLIENT_ID={client_id}");
    println!("AUTH0_CLIENT_SECRET={client_secret}");
    println!("AUTH0_CONNECTION={connection}");
    println!("ready");
}

/// Prints why the program ends.
pub(crate) fn problem(error: &anyhow::Error) {
    eprintln!("auth0-emulator: {error:#}");
}
