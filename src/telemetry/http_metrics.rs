//! Metrics of connections and of the proxies in front.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::registration::{CounterFamily, registered};

/// The public listener's metrics. Clones share them.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    forwarded: CounterFamily,
    open: Gauge,
    opened: Counter,
    refused: CounterFamily,
    ended: CounterFamily,
}

/// The reason why no forwarded header determined the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardedOutcome {
    /// From an untrusted peer in a private network: a proxy that is not listed.
    UntrustedPrivate,
    /// From an untrusted peer on the internet: mostly a client that forges the header.
    UntrustedPublic,
    /// A trusted proxy set only the header that is not configured.
    OtherHeader,
    /// A hop is not an address.
    Unreadable,
    /// A server named its visitor without a valid token.
    UntrustedServer,
    /// A trusted proxy sent a sign-up without a forwarded header.
    Missing,
}

impl ForwardedOutcome {
    const ALL: [Self; 6] = [
        Self::UntrustedPrivate,
        Self::UntrustedPublic,
        Self::OtherHeader,
        Self::Unreadable,
        Self::UntrustedServer,
        Self::Missing,
    ];

    /// The label's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UntrustedPrivate => "untrusted_private",
            Self::UntrustedPublic => "untrusted_public",
            Self::OtherHeader => "other_header",
            Self::Unreadable => "unreadable",
            Self::UntrustedServer => "untrusted_server",
            Self::Missing => "missing",
        }
    }
}

/// The reason why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionRefusal {
    /// Its address has reached its bound.
    Address,
    /// The table is full, and every connection in it is active.
    Full,
}

impl ConnectionRefusal {
    const ALL: [Self; 2] = [Self::Address, Self::Full];

    /// The label's value.
    const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Full => "full",
        }
    }
}

/// The reason why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// The client sent no byte in time.
    Silent,
    /// The head of a request was not complete in time.
    SlowHead,
    /// The client sent no further request in time.
    Idle,
    /// The client read nothing of its response in time.
    SlowReader,
    /// It was waiting for its client, and made room for other connections.
    Evicted,
    /// Its address has too many unfinished heads.
    Unfinished,
}

impl ConnectionEnd {
    const ALL: [Self; 6] = [
        Self::Silent,
        Self::SlowHead,
        Self::Idle,
        Self::SlowReader,
        Self::Evicted,
        Self::Unfinished,
    ];

    /// The label's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::Evicted => "evicted",
            Self::Unfinished => "unfinished",
        }
    }
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            forwarded: CounterFamily::register(
                registry,
                "http_forwarded_rejected",
                "Requests whose client's address no forwarded header determined",
                "outcome",
                ForwardedOutcome::ALL.map(ForwardedOutcome::name),
            ),
            open: registered(registry, "http_connections_open", "Open connections"),
            opened: registered(registry, "http_connections", "Accepted connections"),
            refused: CounterFamily::register(
                registry,
                "http_connections_refused",
                "Connections refused because a bound was reached",
                "reason",
                ConnectionRefusal::ALL.map(ConnectionRefusal::name),
            ),
            ended: CounterFamily::register(
                registry,
                "http_connections_closed",
                "Connections closed at a deadline or evicted",
                "reason",
                ConnectionEnd::ALL.map(ConnectionEnd::name),
            ),
        }
    }

    /// Counts a request whose client's address no forwarded header determined.
    pub fn forwarded(&self, outcome: ForwardedOutcome) {
        self.forwarded.add(outcome.name(), 1);
    }

    /// Counts an accepted connection.
    pub fn connection_opened(&self) {
        self.open.inc();
        self.opened.inc();
    }

    /// Lowers the number of open connections.
    pub fn connection_closed(&self) {
        self.open.dec();
    }

    /// Counts a refused connection.
    pub fn connection_refused(&self, reason: ConnectionRefusal) {
        self.refused.add(reason.name(), 1);
    }

    /// Counts a connection that was closed at a deadline or evicted.
    pub fn connection_ended(&self, reason: ConnectionEnd) {
        self.ended.add(reason.name(), 1);
    }
}

impl Default for HttpMetrics {
    /// Metrics that are not exported.
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}
