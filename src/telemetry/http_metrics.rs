//! What is counted of connections and of the proxies in front.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The public listener's metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct HttpMetrics {
    forwarded: Family<ForwardedLabels, Counter>,
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

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "http_forwarded_not_taken",
            "Requests whose forwarded header did not name the client",
            metrics.forwarded.clone(),
        );
        metrics
    }

    /// Counts a forwarded header that did not name the client.
    pub fn forwarded(&self, outcome: ForwardedOutcome) {
        self.forwarded.get_or_create(&ForwardedLabels { outcome }).inc();
    }
}
