//! The service under attack: a process of its own, in front of an emulated tenant.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Latency, Plan, Route};
use reqwest::Client;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::time::sleep;

/// Files for twice as many connections as the service accepts.
const FILES: u64 = 20_000;

/// Allows this process, and the services that it starts, enough open files.
pub(crate) fn raise_file_limit() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.map_or(FILES, |maximum| maximum.min(FILES)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// A running service. Killed, and its files deleted, on drop.
pub(crate) struct Service {
    pub(crate) tenant: Emulator,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    process: Child,
    folder: PathBuf,
}

impl Service {
    /// Starts a service with the default settings and these variables. It trusts the proxy
    /// 127.0.0.1, unless they say otherwise.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let tenant = Emulator::builder().tenant(|tenant| {
            tenant.plan = Plan::Custom { burst: 1_000, per_second: 1_000.0 };
            tenant.latency = Latency::FixedMs(20);
        });
        let tenant = tenant.start().await?;
        let folder = std::env::temp_dir().join(format!("attack-{:032x}", rand::random::<u128>()));
        fs::create_dir(&folder)?;
        let log = File::create(folder.join("log"))?;
        let process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .current_dir(&folder)
            .env_clear()
            .envs([
                ("AUTH0_DOMAIN", tenant.url()),
                ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
                ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
                ("PORT", "0"),
                ("SIGNUP__ADMIN__PORT", "0"),
                ("SIGNUP__HTTP__TRUSTED_PROXIES", "127.0.0.1"),
            ])
            .envs(variables.iter().copied())
            .stdout(log)
            .stdin(Stdio::null())
            .spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let client = Client::builder().no_proxy().build()?;
        let mut service = Self { tenant, address, client, process, folder };
        service.address = service.public_address().await?;
        Ok(service)
    }

    /// Waits until the log names the address.
    async fn public_address(&self) -> anyhow::Result<SocketAddr> {
        for _ in 0..200 {
            sleep(Duration::from_millis(50)).await;
            let named = self.log()?.lines().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                event.get("public")?.as_str()?.parse().ok()
            });
            if let Some(address) = named {
                return Ok(address);
            }
        }
        anyhow::bail!("the service did not start: {}", self.log()?)
    }

    pub(crate) fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join("log"))?)
    }

    /// The most resident memory since the start, in MB.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        Ok(peak.context("no VmHWM")?.parse::<u64>()? / 1_000)
    }

    /// The create calls that reached the tenant, but for those of honest people.
    pub(crate) fn reached_tenant(&self) -> usize {
        let calls = self.tenant.calls(Route::CreateUser);
        calls.iter().filter(|call| !call.body.windows(6).any(|bytes| bytes == b"honest")).count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Fails if it has ended already.
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}
