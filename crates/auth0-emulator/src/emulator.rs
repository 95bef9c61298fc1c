//! A running emulator and the API that tests use.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};

use crate::builder::Builder;
use crate::fault::Fault;
use crate::journal::JournalEntry;
use crate::locked::Locked;
use crate::password::StoredPassword;
use crate::route::Route;
use crate::server::{PortServer, TlsIdentity};
use crate::state::EmulatorState;
use crate::tasks::Tasks;
use crate::tenant::Tenant;

/// Length of the listen queue.
const BACKLOG: u32 = 1024;

/// One port the emulator listens on.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Its URL for clients.
    pub(crate) url: String,
    /// Set if it serves TLS.
    pub(crate) tls: bool,
}

/// An Auth0 tenant on loopback. Dropping it stops it.
pub struct Emulator {
    /// The state of the tenant.
    state: Arc<EmulatorState>,
    /// The ports it listens on.
    ports: Vec<Port>,
    /// Its certificate, if it serves TLS.
    identity: Option<TlsIdentity>,
    /// Its tasks; `None` while it is stopped.
    tasks: Locked<Option<Tasks>>,
    /// The bound sockets of all ports while the emulator is stopped; empty if a port was lost.
    reserved: Locked<Vec<TcpSocket>>,
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
    /// A builder with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An emulator that is not serving yet.
    pub(crate) fn new(
        state: Arc<EmulatorState>,
        ports: Vec<Port>,
        identity: Option<TlsIdentity>,
    ) -> Self {
        Self { state, ports, identity, tasks: Locked::new(None), reserved: Locked::new(Vec::new()) }
    }

    /// Serves on one listener per port, in the order of the ports.
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

    /// Its URL, without a trailing slash.
    pub fn url(&self) -> &str {
        self.ports.first().map(|port| port.url.as_str()).unwrap_or_default()
    }

    /// The URL of the port that serves TLS, if there is one.
    pub fn tls_url(&self) -> Option<&str> {
        self.ports.iter().find(|port| port.tls).map(|port| port.url.as_str())
    }

    /// The Management API's audience.
    pub fn audience(&self) -> String {
        let own = self.state.tenant().audience.clone();
        own.unwrap_or_else(|| format!("{}/api/v2/", self.url()))
    }

    /// The PEM certificate of its CA, if it serves TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.ca_pem.as_str())
    }

    /// All recorded requests, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.state.journal.entries(|_| true)
    }

    /// The recorded requests for one operation, oldest first.
    pub fn calls(&self, route: Route) -> Vec<JournalEntry> {
        self.state.journal.entries(|entry| route.covers(entry.route()))
    }

    /// Clears the journal.
    pub fn clear_journal(&self) {
        self.state.journal.clear();
    }

    /// Adds a fault for calls to one operation: the next call, unless the fault says how many.
    pub fn fault(&self, route: Route, fault: Fault) {
        self.state.faults.add(route, fault);
    }

    /// Sets a function that chooses the fault of each call that no queued fault matches. It applies
    /// until the faults are cleared. The chosen fault's `times` is ignored.
    pub fn choose_faults(
        &self,
        choose: impl Fn(&JournalEntry) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.state.faults.set_chooser(Arc::new(choose));
    }

    /// Removes all queued faults and the function that chooses faults.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Reads or changes the tenant's settings. A lock is held meanwhile, so `change` must not call
    /// the emulator.
    pub fn tenant<R>(&self, change: impl FnOnce(&mut Tenant) -> R) -> R {
        self.state.change(change)
    }

    /// All users as the Management API returns them: the connection's own, oldest first, then those
    /// of other connections.
    pub fn users(&self) -> Vec<Value> {
        self.state.users.with(|users| users.profiles())
    }

    /// Stores a user of another connection, or a linked profile, as the Management API is to return
    /// it. Nothing of it is checked, and it conflicts with no sign-up.
    ///
    /// # Errors
    ///
    /// Returns the reason if it has no `user_id`.
    pub fn add_user(&self, user: Value) -> Result<(), String> {
        self.state.users.with(|users| users.insert_elsewhere(user))
    }

    /// Returns whether a user, by id or e-mail, has this password.
    pub fn has_password(&self, user: &str, password: &str) -> bool {
        let password = StoredPassword::new(password);
        self.state.users.with(|users| {
            let by_email = users.by_email_address(user);
            users.get(user).into_iter().chain(by_email).any(|stored| stored.password == password)
        })
    }

    /// Revokes every token issued so far.
    pub fn revoke_tokens(&self) {
        self.state.revoke_tokens();
    }

    /// Changes the application's secret. Issued tokens stay valid.
    pub fn rotate_secret(&self, secret: &str) {
        self.tenant(|tenant| secret.clone_into(&mut tenant.client_secret));
    }

    /// Silences every connection that is open now, idle ones included: they stay open and send
    /// nothing more. New connections work. Returns the number of silenced connections.
    pub fn silence_connections(&self) -> usize {
        self.state.silence_connections()
    }

    /// Moves the clock forward: tokens age, and rate limits recover.
    pub fn advance_clock(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Resets users, journal, faults, clock and settings to their initial state.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops the emulator: closes every connection and accepts no new ones. Users and journal are
    /// kept. The ports stay reserved for [`Emulator::start_again`].
    pub async fn stop(&self) {
        self.end_tasks().await;
        let reserved = self.reserve_ports().unwrap_or_default();
        self.reserved.with(|kept| *kept = reserved);
    }

    /// Serves again on the same ports, with the same users, tokens and certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if another process has taken a port.
    pub async fn start_again(&self) -> io::Result<()> {
        self.end_tasks().await;
        let mut sockets = self.reserved.with(mem::take);
        if sockets.is_empty() {
            sockets = self.reserve_ports()?;
        }
        let listeners = sockets.into_iter().map(|socket| socket.listen(BACKLOG));
        self.serve(listeners.collect::<io::Result<_>>()?);
        Ok(())
    }

    /// Stops the emulator for good. The ports are free when this returns.
    pub async fn shutdown(self) {
        self.end_tasks().await;
    }

    /// Binds a socket to each port.
    fn reserve_ports(&self) -> io::Result<Vec<TcpSocket>> {
        self.ports.iter().map(|port| reserve(port.address)).collect()
    }

    /// Closes every connection and listener.
    async fn end_tasks(&self) {
        if let Some(tasks) = self.tasks.with(Option::take) {
            tasks.cancel();
            tasks.ended().await;
        }
    }
}

/// Binds a socket without listening, so that no other process can take the address.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // The kernel may not have released the earlier connections yet.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
