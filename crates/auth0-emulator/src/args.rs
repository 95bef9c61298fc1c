//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Context as _;
use auth0_emulator::{
    Builder, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_CONNECTION, Emulator, Latency, Plan,
    PolicyPreset, Tenant,
};
use clap::Parser;

/// An Auth0 tenant on loopback that stores users and responds like a real tenant.
///
/// Every tenant setting can be changed at run time through `PUT /_emulator/tenant`.
#[derive(Debug, Parser)]
#[command(name = "auth0-emulator", version)]
pub(crate) struct EmulatorArgs {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 picks any free port
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// Serve TLS on that port
    #[arg(long)]
    tls: bool,
    /// Serve TLS on a second port
    #[arg(long, value_name = "PORT")]
    tls_port: Option<u16>,
    /// File to write the certificate of the emulator's own CA to
    #[arg(long, value_name = "FILE", default_value = "auth0-emulator-ca.pem")]
    ca_out: PathBuf,
    /// Client id of the application
    #[arg(long, default_value = DEFAULT_CLIENT_ID)]
    client_id: String,
    /// Client secret of the application
    #[arg(long, default_value = DEFAULT_CLIENT_SECRET)]
    client_secret: String,
    /// PEM file with a public key for the application's client assertions; may be repeated
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Scope granted to the application; may be repeated
    #[arg(long, value_name = "SCOPE", default_values_t = Tenant::default().scopes)]
    scope: Vec<String>,
    /// Lifetime of an access token in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Tenant::default().token_lifetime_s)]
    token_lifetime: u32,
    /// Audience of the Management API; defaults to the emulator's URL plus `/api/v2/`
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    /// Name of the database connection
    #[arg(long, default_value = DEFAULT_CONNECTION)]
    connection: String,
    /// Require usernames on the connection
    #[arg(long)]
    requires_username: bool,
    /// Password policy of the connection
    #[arg(long, value_enum, default_value_t)]
    policy: PolicyPreset,
    /// Subscription plan whose rate limits apply
    #[arg(long, value_enum, default_value_t)]
    plan: Plan,
    /// Delay added to each response
    #[arg(long, value_enum, default_value_t)]
    latency: Latency,
    /// Seed of the recorded latencies; the same seed gives the same latencies
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of latest requests the journal keeps
    #[arg(long, value_name = "ENTRIES", default_value_t = 100_000)]
    journal_limit: usize,
    /// JSON file of settings, in the format of `GET /_emulator/tenant`; overrides the other options
    #[arg(long, value_name = "FILE")]
    tenant: Option<PathBuf>,
}

impl EmulatorArgs {
    /// Path to write the CA certificate to.
    pub(crate) fn ca_out(&self) -> PathBuf {
        self.ca_out.clone()
    }

    /// Builds the emulator described by the arguments.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or has invalid content.
    pub(crate) fn builder(self) -> anyhow::Result<Builder> {
        let Self { host, port, tls, tls_port, seed, journal_limit, .. } = self;
        let tenant = self.tenant()?;
        let mut builder = Emulator::builder()
            .tenant(|own| *own = tenant)
            .host(host)
            .port(port)
            .tls(tls)
            .seed(seed)
            .journal_limit(journal_limit);
        if let Some(port) = tls_port {
            builder = builder.tls_port(port);
        }
        Ok(builder)
    }

    /// Builds the tenant described by the arguments.
    fn tenant(self) -> anyhow::Result<Tenant> {
        let read = |file: &PathBuf| {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        };
        let public_keys = self.public_key.iter().map(read).collect::<anyhow::Result<_>>()?;
        let tenant = Tenant {
            client_id: self.client_id,
            client_secret: self.client_secret,
            public_keys,
            scopes: self.scope,
            token_lifetime_s: self.token_lifetime,
            audience: self.audience,
            connection: self.connection,
            requires_username: self.requires_username,
            policy: self.policy,
            plan: self.plan,
            latency: self.latency,
            ..Tenant::default()
        };
        let Some(file) = &self.tenant else {
            return Ok(tenant);
        };
        let changes = serde_json::from_str(&read(file)?)
            .with_context(|| format!("{} is not valid JSON", file.display()))?;
        tenant.patched(changes).map_err(anyhow::Error::msg)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_argument_definition_is_valid() {
        EmulatorArgs::command().debug_assert();
    }

    #[test]
    fn without_options_the_tenant_has_the_defaults() {
        let args = EmulatorArgs::try_parse_from(["auth0-emulator"]).unwrap();
        assert_eq!(args.tenant().unwrap(), Tenant::default());
    }

    #[test]
    fn options_reach_the_tenant() {
        let line = "auth0-emulator --policy low --plan enterprise-test --scope create:users";
        let args = EmulatorArgs::try_parse_from(line.split(' ')).unwrap();
        let tenant = args.tenant().unwrap();
        assert_eq!((tenant.policy, tenant.plan), (PolicyPreset::Low, Plan::EnterpriseTest));
        assert_eq!(tenant.scopes, ["create:users"]);
    }
}
