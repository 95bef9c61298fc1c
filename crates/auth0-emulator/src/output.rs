//! The program's output: the settings to use, and errors.

use std::io::{self, Write as _};
use std::path::Path;

use auth0_emulator::Emulator;

/// Prints the connection settings, one `NAME=value` per line.
pub(crate) fn print_settings(auth0: &Emulator, ca_file: &Path) {
    let (client_id, client_secret, connection) = auth0.tenant(|tenant| {
        (tenant.client_id.clone(), tenant.client_secret.clone(), tenant.connection.clone())
    });
    let tls = auth0.tls_url().map_or_else(String::new, |url| {
        format!("AUTH0_TLS_URL={url}\nAUTH0_CA_FILE={}\n", ca_file.display())
    });
    let text = format!(
        "AUTH0_URL={}\n{tls}AUTH0_AUDIENCE={}\nAUTH0_CLIENT_ID={client_id}\n\
         AUTH0_CLIENT_SECRET={client_secret}\nAUTH0_CONNECTION={connection}\nready\n",
        auth0.url(),
        auth0.audience(),
    );
    // The reader may close the pipe once it has read enough; the emulator keeps running.
    let _unread = io::stdout().write_all(text.as_bytes());
}

/// Prints the error that ends the program.
pub(crate) fn print_error(error: &anyhow::Error) {
    // A stderr that cannot be written does not change the exit status.
    let _unread = io::stderr().write_all(format!("auth0-emulator: {error:#}\n").as_bytes());
}
