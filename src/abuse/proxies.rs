//! Which proxies are believed, and whom a request came from.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use tokio::time::Instant;

use super::client_address::ClientAddress;
use super::forwarded::{Hop, hops};
use crate::config::{ForwardedHeader, ProxySettings};
use crate::telemetry::{ForwardedOutcome, HttpMetrics};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// How many hops of trusted proxies are followed. Real chains have one to four.
const MAX_HOPS: usize = 32;

/// How often the same fault of the set-up is logged.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How long after the last request that showed the fault the set-up still counts as faulty.
const REMEMBERED: Duration = Duration::from_mins(5);

/// The proxies in front, and how they tell whom they speak for.
#[derive(Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ForwardedHeader,
    metrics: HttpMetrics,
    watch: ProxyWatch,
}

/// Whom a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The client.
    pub client: ClientAddress,
    /// Whether the peer is a trusted proxy, whose own headers can be believed.
    pub by_proxy: bool,
}

impl Proxies {
    /// Believes these.
    pub fn new(settings: &ProxySettings, metrics: HttpMetrics) -> Self {
        Self {
            trusted: settings.trusted.clone(),
            header: settings.header,
            metrics,
            watch: ProxyWatch::new(),
        }
    }

    /// Believes nobody and tells nobody: for a listener that no client comes to.
    pub fn none() -> Self {
        let header = ForwardedHeader::XForwardedFor;
        Self::new(&ProxySettings { trusted: Vec::new(), header }, HttpMetrics::default())
    }

    /// Whom a request came from: the peer, or the nearest hop that no trusted proxy is.
    ///
    /// Where the chain cannot be read any further, and where it holds none but trusted proxies, it
    /// is the last trusted address: a client never gets one that it has chosen itself.
    pub fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> Resolved {
        let peer = ClientAddress::new(peer);
        let by_proxy = self.is_trusted(peer);
        let client = if by_proxy {
            self.behind(peer, headers)
        } else {
            self.direct(peer, headers);
            peer
        };
        Resolved { client, by_proxy }
    }

    /// Whether a peer is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.is_trusted(ClientAddress::new(peer))
    }

    /// Whether requests lately came through a proxy that is not trusted, so that all who are behind
    /// it count as one client.
    pub fn is_misconfigured(&self) -> bool {
        self.watch.is_faulty()
    }

    fn is_trusted(&self, address: ClientAddress) -> bool {
        let address = address.ip();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    fn behind(&self, peer: ClientAddress, headers: &HeaderMap) -> ClientAddress {
        let (name, other) = match self.header {
            ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, FORWARDED),
            ForwardedHeader::Forwarded => (FORWARDED, X_FORWARDED_FOR),
        };
        if !headers.contains_key(&name) {
            if headers.contains_key(&other) {
                self.fault(ForwardedOutcome::OtherHeader, peer);
            }
            return peer;
        }
        let lines = headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
        let mut nearest = peer;
        for hop in hops(self.header, lines).take(MAX_HOPS) {
            let Hop::Address(address) = hop else {
                self.metrics.forwarded(ForwardedOutcome::Unreadable);
                return nearest;
            };
            nearest = ClientAddress::new(address);
            if !self.is_trusted(nearest) {
                return nearest;
            }
        }
        nearest
    }

    /// A peer that is not trusted: what it says of others is not read, but that it says something
    /// tells a proxy from a client.
    fn direct(&self, peer: ClientAddress, headers: &HeaderMap) {
        if !headers.contains_key(X_FORWARDED_FOR) && !headers.contains_key(FORWARDED) {
            return;
        }
        if peer.is_private() {
            self.fault(ForwardedOutcome::UntrustedPrivate, peer);
        } else {
            self.metrics.forwarded(ForwardedOutcome::UntrustedPublic);
        }
    }

    fn fault(&self, outcome: ForwardedOutcome, proxy: ClientAddress) {
        self.metrics.forwarded(outcome);
        if self.watch.note() {
            tracing::error!(
                proxy = %proxy,
                fault = outcome.name(),
                "clients cannot be told apart: a proxy names them, but http.trusted_proxies does \
                 not list it or http.forwarded_header is not the header it sets"
            );
        }
    }
}

/// Remembers a fault of the set-up, and how often it was told.
#[derive(Debug)]
struct ProxyWatch {
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 is never.
    last_seen: AtomicU64,
    last_told: AtomicU64,
}

impl ProxyWatch {
    fn new() -> Self {
        let never = || AtomicU64::new(0);
        Self { started: Instant::now(), last_seen: never(), last_told: never() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Notes the fault; `true` when it is to be told.
    fn note(&self) -> bool {
        let now = self.now();
        self.last_seen.store(now, Ordering::Relaxed);
        let told = self.last_told.load(Ordering::Relaxed);
        let due = told == 0 || Duration::from_millis(now.saturating_sub(told)) >= LOG_EVERY;
        // Of several requests at once, one tells it.
        due && self
            .last_told
            .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn is_faulty(&self) -> bool {
        let seen = self.last_seen.load(Ordering::Relaxed);
        seen != 0 && Duration::from_millis(self.now().saturating_sub(seen)) < REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn proxies(trusted: &[&str], header: ForwardedHeader) -> Proxies {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Proxies::new(&ProxySettings { trusted, header }, HttpMetrics::default())
    }

    fn client(proxies: &Proxies, peer: &str, lines: &[&'static str]) -> String {
        let values = lines.iter().map(|line| http::HeaderValue::from_static(line));
        let headers = values.map(|value| (X_FORWARDED_FOR, value)).collect();
        proxies.resolve(peer.parse().unwrap(), &headers).client.to_string()
    }

    #[tokio::test]
    async fn the_client_is_the_nearest_stranger() {
        let proxies = proxies(&["10.0.0.0/8", "2001:db8:ff::/48"], ForwardedHeader::XForwardedFor);
        for (peer, lines, expected) in [
            ("192.0.2.1", vec!["6.6.6.6"], "192.0.2.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", vec!["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", vec!["6.6.6.6", "192.0.2.7", "2001:db8:ff::9"], "192.0.2.7"),
            ("10.0.0.1", vec!["::ffff:192.0.2.7, ::ffff:10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", vec!["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, peer, &lines), expected, "{peer} {lines:?}");
        }
        assert!(!proxies.is_misconfigured());
    }

    #[tokio::test]
    async fn a_chain_without_end_is_followed_only_so_far() {
        let proxies = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let line = format!("6.6.6.6{}", ", 10.0.0.2".repeat(10_000));
        let headers = [(X_FORWARDED_FOR, line.parse().unwrap())].into_iter().collect();
        let resolved = proxies.resolve("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(resolved.client.to_string(), "10.0.0.2");
    }

    #[tokio::test(start_paused = true)]
    async fn an_untrusted_private_peer_that_forwards_is_a_fault_for_a_while() {
        let proxies = proxies(&["10.0.0.1/32"], ForwardedHeader::XForwardedFor);
        assert_eq!(client(&proxies, "192.0.2.1", &["6.6.6.6"]), "192.0.2.1");
        assert!(!proxies.is_misconfigured(), "anybody may send the header");
        assert_eq!(client(&proxies, "10.0.0.2", &["6.6.6.6"]), "10.0.0.2");
        assert!(proxies.is_misconfigured());
        assert!(!proxies.watch.note(), "told within the minute");
        advance(LOG_EVERY).await;
        assert!(proxies.watch.note() && !proxies.watch.note());
        advance(REMEMBERED).await;
        assert!(!proxies.is_misconfigured());
    }

    #[tokio::test]
    async fn the_other_header_of_a_trusted_peer_is_a_fault() {
        let proxies = proxies(&["10.0.0.1/32"], ForwardedHeader::Forwarded);
        assert_eq!(client(&proxies, "10.0.0.1", &["192.0.2.7"]), "10.0.0.1");
        assert!(proxies.is_misconfigured());
    }
}
