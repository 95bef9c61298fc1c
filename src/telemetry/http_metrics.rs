//! What is counted of connections and of the proxies in front.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The public listener's metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct HttpMetrics {
    forwarded: Family<ForwardedLabels, Counter>,
    open: Gauge,
    opened: Counter,
    refused: Family<RefusedLabels, Counter>,
    ended: Family<EndLabels, Counter>,
}

/// A forwarded header that did not name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardedOutcome {
    /// From a peer in a private network that is not trusted: a proxy that is not listed.
    UntrustedPrivate,
    /// From a peer of the internet: a client that makes one up, most often.
    UntrustedPublic,
    /// A trusted proxy set the other header only.
    OtherHeader,
    /// A hop that is no address.
    Unreadable,
}

impl ForwardedOutcome {
    /// The label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UntrustedPrivate => "untrusted_private",
            Self::UntrustedPublic => "untrusted_public",
            Self::OtherHeader => "other_header",
            Self::Unreadable => "unreadable",
        }
    }
}

impl EncodeLabelValue for ForwardedOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ForwardedLabels {
    outcome: ForwardedOutcome,
}

/// Why there was no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Its address has as many as one may have.
    Address,
    /// As many as there may be are open, and none of them waits.
    Full,
}

impl EncodeLabelValue for Refused {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Address => "address",
            Self::Full => "full",
        })
    }
}

/// Why a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// No byte came.
    Silent,
    /// A head was not whole in time.
    SlowHead,
    /// No further request came.
    Idle,
    /// The client took nothing of its answer.
    SlowReader,
    /// It waited, and another one needed the room.
    MadeRoom,
}

impl ConnectionEnd {
    /// The label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::MadeRoom => "made_room",
        }
    }
}

impl EncodeLabelValue for ConnectionEnd {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    reason: ConnectionEnd,
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "http_forwarded_rejected",
            "Requests whose forwarded header did not name the client",
            metrics.forwarded.clone(),
        );
        registry.register("http_connections_open", "Open connections", metrics.open.clone());
        registry.register("http_connections", "Connections taken", metrics.opened.clone());
        registry.register(
            "http_connections_refused",
            "Connections that there was no room for",
            metrics.refused.clone(),
        );
        registry.register(
            "http_connections_closed",
            "Connections closed because the client was waited for long enough",
            metrics.ended.clone(),
        );
        metrics
    }

    /// Counts a forwarded header that did not name the client.
    pub fn forwarded(&self, outcome: ForwardedOutcome) {
        self.forwarded.get_or_create(&ForwardedLabels { outcome }).inc();
    }

    /// Counts a connection in.
    pub fn connection_opened(&self) {
        self.open.inc();
        self.opened.inc();
    }

    /// Counts a connection out.
    pub fn connection_closed(&self) {
        self.open.dec();
    }

    /// Counts a connection that there was no room for.
    pub fn connection_refused(&self, reason: Refused) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }

    /// Counts a connection that was given up.
    pub fn connection_ended(&self, reason: ConnectionEnd) {
        self.ended.get_or_create(&EndLabels { reason }).inc();
    }
}
