//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Context as _;
use auth0_emulator::{
    Builder, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_CONNECTION, Emulator, Latency, Plan,
    PolicyPreset, Tenant,
};
use clap::{Parser, ValueEnum};

/// An Auth0 tenant on loopback that keeps users and answers as the real one does.
///
/// Every setting of the tenant may be changed while it runs, through `PUT /_emulator/tenant`.
#[derive(Debug, Parser)]
#[command(name = "auth0-emulator", version)]
pub(crate) struct EmulatorArgs {
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 for any free one
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// Speak TLS on that port, with HTTP/1.1 and h2
    #[arg(long)]
    tls: bool,
    /// Speak TLS on a second port
    #[arg(long, value_name = "PORT")]
    tls_port: Option<u16>,
    /// Where to write the certificate of the emulator's own CA
    #[arg(long, value_name = "FILE", default_value = "auth0-emulator-ca.pem")]
    ca_out: PathBuf,
    /// The application's id
    #[arg(long, default_value = DEFAULT_CLIENT_ID)]
    client_id: String,
    /// The application's secret
    #[arg(long, default_value = DEFAULT_CLIENT_SECRET)]
    client_secret: String,
    /// A file with a public key in PEM that the application may sign assertions for
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// A scope of the application; several by repeating it
    #[arg(long, value_name = "SCOPE", default_values_t = Tenant::default().scopes)]
    scope: Vec<String>,
    /// How many seconds a token is good
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    token_lifetime: u32,
    /// The Management API's audience, if not the address and `/api/v2/`
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    /// The name of the database connection
    #[arg(long, default_value = DEFAULT_CONNECTION)]
    connection: String,
    /// Let the connection have usernames
    #[arg(long)]
    requires_username: bool,
    /// The connection's password policy
    #[arg(long, value_enum, default_value_t = PolicyName::Good)]
    policy: PolicyName,
    /// Whose rate limits apply
    #[arg(long, value_enum, default_value_t = PlanName::Unlimited)]
    plan: PlanName,
    /// How long answers are held back
    #[arg(long, value_enum, default_value_t = LatencyName::None)]
    latency: LatencyName,
    /// Where recorded latencies start; the same number gives the same latencies
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many of the latest requests the journal keeps
    #[arg(long, value_name = "ENTRIES", default_value_t = 100_000)]
    journal_limit: usize,
    /// A file of settings in JSON, as `GET /_emulator/tenant` shows them; it wins over the options
    #[arg(long, value_name = "FILE")]
    tenant: Option<PathBuf>,
}

/// The policies by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyName {
    /// Not empty
    None,
    /// Six characters
    Low,
    /// Eight characters, with lower case, upper case and digits
    Fair,
    /// Eight characters of three of four kinds
    Good,
    /// Ten characters of three of four kinds, none more than twice in a row
    Excellent,
}

/// The plans by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlanName {
    /// No request is refused
    Unlimited,
    /// 2 requests, 2 more each second
    Free,
    /// 20 writes, 200 more each minute
    #[value(alias = "professional")]
    Essentials,
    /// 50 requests, 16 more each second
    Enterprise,
    /// 10 requests, 2 more each second
    EnterpriseTest,
}

/// The latencies by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LatencyName {
    /// Not at all
    None,
    /// As recorded: half of the creates take 289 ms, one in a hundred 3.8 s
    Recorded,
}

impl EmulatorArgs {
    /// Where the CA's certificate goes.
    pub(crate) fn ca_out(&self) -> PathBuf {
        self.ca_out.clone()
    }

    /// The emulator it asks for.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be.
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

    /// The tenant it asks for.
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
            policy: self.policy.into(),
            plan: self.plan.into(),
            latency: self.latency.into(),
            ..Tenant::default()
        };
        let Some(file) = &self.tenant else {
            return Ok(tenant);
        };
        let changes = serde_json::from_str(&read(file)?)
            .with_context(|| format!("{} is not JSON", file.display()))?;
        tenant.patched(changes).map_err(anyhow::Error::msg)
    }
}

impl From<PolicyName> for PolicyPreset {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::None => Self::None,
            PolicyName::Low => Self::Low,
            PolicyName::Fair => Self::Fair,
            PolicyName::Good => Self::Good,
            PolicyName::Excellent => Self::Excellent,
        }
    }
}

impl From<PlanName> for Plan {
    fn from(name: PlanName) -> Self {
        match name {
            PlanName::Unlimited => Self::Unlimited,
            PlanName::Free => Self::Free,
            PlanName::Essentials => Self::Essentials,
            PlanName::Enterprise => Self::Enterprise,
            PlanName::EnterpriseTest => Self::EnterpriseTest,
        }
    }
}

impl From<LatencyName> for Latency {
    fn from(name: LatencyName) -> Self {
        match name {
            LatencyName::None => Self::None,
            LatencyName::Recorded => Self::Recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        EmulatorArgs::command().debug_assert();
    }

    #[test]
    fn without_options_the_tenant_is_the_usual_one() {
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
