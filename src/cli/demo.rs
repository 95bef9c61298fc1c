//! `auth0-signup demo`: an emulated tenant and the service, both on loopback.
//!
//! Reads no setting from the environment or a file, so that it behaves the same on every machine. Keeps its
//! data in a temporary folder, which it removes at the end. SIGHUP, which a terminal sends when it is closed,
//! stops it: there is nothing to reload.

use std::ffi::OsString;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator};
use clap::Args;

use super::output::print;
use super::serve::{runtime, serve};
use super::signals::Signals;
use crate::app::StartError;
use crate::config;
use crate::origin::{AllowedOrigin, AllowedOrigins};
use crate::page::example;
use crate::telemetry;

/// Try the service without a tenant.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The port of the service on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The origins of pages that may post to the service, comma separated; the default is every page
    /// on localhost, *.localhost, 127.0.0.1 or `::1`, at any port
    #[arg(long, value_delimiter = ',', value_parser = parse_origin)]
    origins: Option<Vec<AllowedOrigin>>,
}

impl Demo {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        runtime(None).context("the runtime cannot be started")?.block_on(self.serve())
    }

    async fn serve(&self) -> anyhow::Result<()> {
        let signals = Signals::catch()?;
        let auth0 = Emulator::builder().start().await.context("the emulator cannot be started")?;
        let folder = std::env::temp_dir().join(format!("auth0-signup-demo-{}", std::process::id()));
        let database = format!("sqlite://{}", folder.join("signup.db").display());
        let mut settings = config::load(None, self.variables(auth0.url(), &database))?;
        settings.page.example = true;
        let origins = self.origins.clone().unwrap_or_else(|| vec![AllowedOrigin::Loopback]);
        settings.http.origins.allowed = AllowedOrigins::from_iter(origins);
        let _log = telemetry::init(&settings.log).context("the log cannot be set up")?;
        let instruct = |address| print_instructions(auth0.url(), address);
        // Boxed: the future holds all settings and is large.
        let served = Box::pin(serve(settings, None, signals, instruct)).await;
        auth0.shutdown().await;
        std::fs::remove_dir_all(&folder).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error).with_context(|| format!("{} could not be removed", folder.display())),
        })?;
        served.map_err(|error| match error.downcast_ref() {
            Some(StartError::Listen { source, .. }) => {
                anyhow!("port {} cannot be used ({source}): choose another with --port", self.port)
            }
            _ => error,
        })
    }

    fn variables(&self, tenant: &str, database: &str) -> Vec<(OsString, OsString)> {
        let port = self.port.to_string();
        let variables = [
            ("AUTH0_DOMAIN", tenant),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("DATABASE_URL", database),
            ("PORT", &port),
            ("SIGNUP__ADMIN__PORT", "0"),
        ];
        variables.map(|(name, value)| (name.into(), value.into())).into()
    }
}

fn parse_origin(text: &str) -> Result<AllowedOrigin, String> {
    config::parse_allowed_origin(text.trim())
}

fn print_instructions(tenant: &str, address: SocketAddr) {
    let text = format!(
        "An emulated Auth0 tenant runs on {tenant}. Its users are lost when it stops.\n\
         \n\
         Sign up on http://{address}/signup, or from here:\n\
         \n\
         curl -s http://{address}/signup \\\n  \
         -H 'Content-Type: application/json' \\\n  \
         -d '{{\"email\":\"ada@example.com\",\"password\":\"Difference-Engine-1843\",\
         \"given_name\":\"Ada\",\"family_name\":\"Lovelace\"}}'\n\
         \n\
         The tenant's users, and every call it received:\n\
         \n\
         curl -s {tenant}/_emulator/users\n\
         curl -s {tenant}/_emulator/journal\n\
         \n\
         A form of your own is on http://{address}/example. Any page on localhost, *.localhost, 127.0.0.1\n\
         or [::1] may have it, others with --origins. It is dark where the page has\n\
         <meta name=\"color-scheme\" content=\"light dark\">:\n\
         \n\
         {}\n",
        example::lines(&format!("http://{address}"))
    );
    // Ignored: the demo also runs without a reader.
    let _printed = print(&text);
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        demo: Demo,
    }

    #[test]
    fn an_origin_that_is_not_accepted_names_its_option() {
        let parse = |origins| Arguments::try_parse_from(["demo", "--origins", origins]);
        let error = parse("https://*.vercel.app").unwrap_err().to_string();
        assert!(error.contains("--origins") && error.contains("https://*.vercel.app"), "{error}");
        assert!(parse("http://localhost:3000, https://www.example.com").is_ok());
    }
}
