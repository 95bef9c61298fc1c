//! A running emulator, as a test holds it.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};

use crate::builder::Builder;
use crate::control;
use crate::fault::Fault;
use crate::journal::JournalEntry;
use crate::locked::Locked;
use crate::password::StoredPassword;
use crate::route::Route;
use crate::server::{PortServer, TlsIdentity};
use crate::state::EmulatorState;
use crate::tasks::Tasks;
use crate::tenant::Tenant;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// One port the emulator listens on.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// How a client writes it.
    pub(crate) url: String,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
}

/// A tenant on loopback. It stops when it is dropped.
pub struct Emulator {
    /// What it knows.
    state: Arc<EmulatorState>,
    /// Where it listens.
    ports: Vec<Port>,
    /// Its certificate, if it speaks TLS.
    identity: Option<TlsIdentity>,
    /// Its tasks; none after it was stopped.
    tasks: Locked<Option<Tasks>>,
    /// While it is stopped, sockets that keep its ports.
    reserved: Locked<Vec<Option<TcpSocket>>>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.with(Option::take) {
            tasks.cancel();
        }
    }
}

impl Emulator {
    /// An emulator with the usual settings, to be changed and started.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An emulator that does not serve yet.
    pub(crate) fn new(
        state: Arc<EmulatorState>,
        ports: Vec<Port>,
        identity: Option<TlsIdentity>,
    ) -> Self {
        state.bases.get_or_init(|| ports.iter().map(|port| port.url.clone()).collect());
        Self { state, ports, identity, tasks: Locked::new(None), reserved: Locked::new(Vec::new()) }
    }

    /// Serves on listeners for its ports, in their order.
    pub(crate) fn serve(&self, listeners: Vec<TcpListener>) {
        let tasks = Tasks::default();
        for (listener, port) in listeners.into_iter().zip(&self.ports) {
            let tls = self.identity.as_ref().filter(|_| port.tls);
            let server = PortServer {
                state: Arc::clone(&self.state),
                tasks: tasks.clone(),
                tls: tls.map(|identity| identity.acceptor.clone()),
            };
            drop(tasks.spawn(server.run(listener)));
        }
        self.tasks.with(|running| *running = Some(tasks));
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        self.ports.first().map(|port| port.url.as_str()).unwrap_or_default()
    }

    /// The address of the port that speaks TLS, if there is one.
    pub fn tls_url(&self) -> Option<&str> {
        self.ports.iter().find(|port| port.tls).map(|port| port.url.as_str())
    }

    /// The Management API's audience.
    pub fn audience(&self) -> String {
        let own = self.state.tenant().audience.clone();
        own.unwrap_or_else(|| format!("{}/api/v2/", self.url()))
    }

    /// The certificate of its authority in PEM, if it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.ca_pem.as_str())
    }

    /// Every request so far, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.state.journal.entries(|_| true)
    }

    /// The requests for one operation, oldest first.
    pub fn calls(&self, route: Route) -> Vec<JournalEntry> {
        self.state.journal.entries(|entry| route.covers(entry.route()))
    }

    /// Forgets the requests so far.
    pub fn clear_journal(&self) {
        self.state.journal.clear();
    }

    /// Lets calls for one operation go wrong: the next one, unless the fault says how many.
    pub fn fault(&self, route: Route, fault: Fault) {
        self.state.faults.add(route, fault);
    }

    /// Lets `choose` decide for each call that no fault waits for what goes wrong with it, if
    /// anything does; until the faults are cleared. Its number of times is not looked at.
    pub fn choose_faults(
        &self,
        choose: impl Fn(&JournalEntry) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.state.faults.set_chooser(Arc::new(choose));
    }

    /// Forgets the faults that have not come yet, and who chooses them.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Changes the tenant's settings, or looks at them. It holds a lock meanwhile, so `change` must
    /// not ask the emulator for anything.
    pub fn tenant<R>(&self, change: impl FnOnce(&mut Tenant) -> R) -> R {
        self.state.change(change)
    }

    /// Every user as the Management API shows it, oldest first.
    pub fn users(&self) -> Vec<Value> {
        control::users(&self.state)
    }

    /// Whether a user, by id or e-mail, has this password.
    pub fn has_password(&self, user: &str, password: &str) -> bool {
        let password = StoredPassword::new(password);
        self.state.users.with(|users| {
            let by_email = users.by_email_address(user);
            users.get(user).into_iter().chain(by_email).any(|stored| stored.password == password)
        })
    }

    /// Makes every token issued so far useless.
    pub fn revoke_tokens(&self) {
        self.state.revoke_tokens();
    }

    /// Gives the application another secret. Tokens stay good.
    pub fn rotate_secret(&self, secret: &str) {
        self.tenant(|tenant| secret.clone_into(&mut tenant.client_secret));
    }

    /// Moves its clock ahead: tokens age, and rate limits recover.
    pub fn advance_clock(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Puts users, journal, faults, clock and settings back to what they were at the start.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops: every connection ends, and the next is refused. Users and journal stay, and nobody
    /// else is given the ports, for [`Emulator::start_again`].
    pub async fn stop(&self) {
        self.end_tasks().await;
        let reserved = self.ports.iter().map(|port| reserve(port.address).ok()).collect();
        self.reserved.with(|kept| *kept = reserved);
    }

    /// Serves again on the same ports, with the same users, tokens and certificate.
    ///
    /// # Errors
    ///
    /// When another process has taken a port.
    pub async fn start_again(&self) -> io::Result<()> {
        self.end_tasks().await;
        let mut reserved = self.reserved.with(mem::take).into_iter();
        let mut listeners = Vec::new();
        for port in &self.ports {
            let socket = match reserved.next().flatten() {
                Some(socket) => socket,
                None => reserve(port.address)?,
            };
            listeners.push(socket.listen(BACKLOG)?);
        }
        self.serve(listeners);
        Ok(())
    }

    /// Stops for good. The ports are free when this returns.
    pub async fn shutdown(self) {
        self.end_tasks().await;
    }

    /// Ends every connection and listener.
    async fn end_tasks(&self) {
        if let Some(tasks) = self.tasks.with(Option::take) {
            tasks.cancel();
            tasks.ended().await;
        }
    }
}

/// A socket that keeps an address from others and does not listen on it yet.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // The connections of before may not be quite over for the kernel.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
