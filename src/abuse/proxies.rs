//! The trusted proxies, and the client that a request came from.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::client_address::ClientAddress;
use super::forwarded::{Hop, hops};
use super::network::any_contains;
use super::server_clients::{ServerClaim, ServerClients};
use crate::config::{ForwardedHeader, ProxySettings};
use crate::telemetry::{ForwardedOutcome, HttpMetrics, LogGate};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Maximum number of hops that are followed. Real chains have one to four.
const MAX_HOPS: usize = 32;

/// Time for which a misconfiguration is reported after the last request that showed it.
const REMEMBERED: Duration = Duration::from_mins(5);

/// The trusted proxies, and the header in which they name the client.
#[derive(Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ForwardedHeader,
    metrics: HttpMetrics,
    misconfigured: ProxyWatch,
    /// Bounds the lines about hops that are no addresses.
    unreadable: LogGate,
    servers: ServerClients,
    /// Bounds the lines about visitors that are no addresses.
    unreadable_visitor: LogGate,
    /// Bounds the lines about servers without a token.
    forged: LogGate,
}

/// The client of a request, and whether its peer is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The client.
    pub client: ClientAddress,
    /// The peer is a trusted proxy, so its headers can be trusted.
    pub by_proxy: bool,
    /// A server posted for its visitor, and has shown its token.
    pub by_server: bool,
}

impl Proxies {
    /// Trusts the proxies of these settings.
    pub fn new(settings: &ProxySettings, metrics: HttpMetrics) -> Self {
        Self {
            trusted: settings.trusted.clone(),
            header: settings.header,
            metrics,
            misconfigured: ProxyWatch::default(),
            unreadable: LogGate::new(),
            servers: ServerClients::new(settings.server_clients.clone()),
            unreadable_visitor: LogGate::new(),
            forged: LogGate::new(),
        }
    }

    /// Returns the client of a request: the visitor that a server names, or the peer, or the nearest hop
    /// that is not a trusted proxy.
    ///
    /// If the chain becomes unreadable, or holds only trusted proxies, the client is the last
    /// trusted address: a client never counts under an address that it chose itself.
    pub fn resolve(&self, peer: ClientAddress, headers: &HeaderMap) -> Resolved {
        let by_proxy = self.trusts(peer.ip());
        let client = if by_proxy { self.client_behind(peer, headers) } else { peer };
        let (visitor, by_server) = self.visitor(headers);
        if !by_proxy && !by_server {
            self.check_direct(peer, headers);
        }
        Resolved { client: visitor.unwrap_or(client), by_proxy, by_server }
    }

    /// The visitor that a server posts for, and whether the server has shown its token.
    fn visitor(&self, headers: &HeaderMap) -> (Option<ClientAddress>, bool) {
        match self.servers.claim(headers) {
            ServerClaim::None => (None, false),
            ServerClaim::Server { visitor } => (visitor, true),
            ServerClaim::Unreadable => {
                self.report_server(
                    ForwardedOutcome::Unreadable,
                    &self.unreadable_visitor,
                    "a server with a token of http.server_clients names a visitor in \
                     Signup-Client-Address that is not an address",
                );
                (None, true)
            }
            ServerClaim::Forged => {
                // Any client may send the header.
                self.report_server(
                    ForwardedOutcome::UntrustedServer,
                    &self.forged,
                    "a server names its visitor in Signup-Client-Address without a token of \
                     http.server_clients",
                );
                (None, false)
            }
        }
    }

    /// Returns whether the address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        any_contains(&self.trusted, address)
    }

    /// Checks that a trusted proxy has named the client of a sign-up. Other requests may come without a
    /// name: balancers probe so.
    pub fn check_sign_up(&self, resolved: Resolved, headers: &HeaderMap) {
        if resolved.by_proxy && !resolved.by_server && !has_forwarded(headers) {
            self.report_misconfiguration(ForwardedOutcome::Missing, resolved.client);
        }
    }

    /// Returns whether requests came recently through a proxy that is not trusted or does not name its
    /// clients. All clients behind it count as one.
    pub fn is_misconfigured(&self) -> bool {
        self.misconfigured.is_active()
    }

    /// The nearest hop of a trusted proxy that is not a trusted proxy itself.
    fn client_behind(&self, peer: ClientAddress, headers: &HeaderMap) -> ClientAddress {
        let (name, other) = match self.header {
            ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, FORWARDED),
            ForwardedHeader::Forwarded => (FORWARDED, X_FORWARDED_FOR),
        };
        if !headers.contains_key(&name) {
            if headers.contains_key(&other) {
                self.report_misconfiguration(ForwardedOutcome::OtherHeader, peer);
            }
            return peer;
        }
        let lines = headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
        let mut nearest = peer;
        for hop in hops(self.header, lines).take(MAX_HOPS) {
            let Hop::Address(address) = hop else {
                self.report_unreadable(peer);
                return nearest;
            };
            nearest = ClientAddress::new(address);
            if !self.trusts(nearest.ip()) {
                return nearest;
            }
        }
        nearest
    }

    /// Checks a peer that is neither a trusted proxy nor a server with a token. Its forwarded header is not
    /// read, but sending one suggests that the peer is a proxy.
    fn check_direct(&self, peer: ClientAddress, headers: &HeaderMap) {
        if !has_forwarded(headers) {
            return;
        }
        if peer.is_private() {
            self.report_misconfiguration(ForwardedOutcome::UntrustedPrivate, peer);
        } else {
            self.metrics.forwarded(ForwardedOutcome::UntrustedPublic);
        }
    }

    /// Reports a hop that is no address. Everybody behind it counts as one client. The header
    /// itself is not logged: a client may have written it.
    fn report_unreadable(&self, proxy: ClientAddress) {
        let outcome = ForwardedOutcome::Unreadable;
        self.metrics.forwarded(outcome);
        if self.unreadable.is_due() {
            tracing::warn!(
                proxy = %proxy,
                reason = outcome.name(),
                "a trusted proxy names a client that is not an address, so its clients count as one"
            );
        }
    }

    /// Reports a server whose header is not used: all its visitors count as one client.
    fn report_server(&self, outcome: ForwardedOutcome, log: &LogGate, message: &'static str) {
        self.metrics.forwarded(outcome);
        if log.is_due() {
            tracing::warn!(
                setting = "http.server_clients",
                reason = outcome.name(),
                "{message}, so its visitors count as one"
            );
        }
    }

    /// Reports that all clients behind a proxy count as one.
    fn report_misconfiguration(&self, outcome: ForwardedOutcome, proxy: ClientAddress) {
        self.metrics.forwarded(outcome);
        if self.misconfigured.record() {
            let cause = if outcome == ForwardedOutcome::Missing {
                "a proxy of http.trusted_proxies sends sign-ups without a header that names them"
            } else {
                "a proxy names them, but http.trusted_proxies does not list it or \
                 http.forwarded_header is not the header that it sets"
            };
            tracing::error!(
                proxy = %proxy,
                reason = outcome.name(),
                "clients cannot be distinguished: {cause}"
            );
        }
    }
}

/// Returns whether a request has a header that names its client.
fn has_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// Remembers when a misconfiguration was last seen and last logged.
#[derive(Debug, Default)]
struct ProxyWatch {
    last_seen: Mutex<Option<Instant>>,
    log: LogGate,
}

impl ProxyWatch {
    /// Records the misconfiguration. Returns whether it should be logged.
    fn record(&self) -> bool {
        *self.last_seen.lock() = Some(Instant::now());
        self.log.is_due()
    }

    fn is_active(&self) -> bool {
        self.last_seen.lock().is_some_and(|seen| seen.elapsed() < REMEMBERED)
    }
}

#[cfg(test)]
impl Proxies {
    /// Trusts no proxy.
    pub(crate) fn none() -> Self {
        let (trusted, server_clients) = (Vec::new(), Vec::new());
        let header = ForwardedHeader::XForwardedFor;
        Self::new(&ProxySettings { trusted, header, server_clients }, HttpMetrics::default())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn proxies(trusted: &[&str], header: ForwardedHeader) -> Proxies {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Proxies::new(
            &ProxySettings { trusted, header, server_clients: Vec::new() },
            HttpMetrics::default(),
        )
    }

    fn client(proxies: &Proxies, peer: &str, lines: &[&'static str]) -> String {
        let values = lines.iter().map(|line| http::HeaderValue::from_static(line));
        let headers = values.map(|value| (X_FORWARDED_FOR, value)).collect();
        proxies.resolve(ClientAddress::new(peer.parse().unwrap()), &headers).client.to_string()
    }

    #[tokio::test]
    async fn the_client_is_the_nearest_untrusted_hop() {
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
    async fn an_endless_chain_is_followed_up_to_a_bound() {
        let proxies = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let line = format!("6.6.6.6{}", ", 10.0.0.2".repeat(10_000));
        let headers = [(X_FORWARDED_FOR, line.parse().unwrap())].into_iter().collect();
        let resolved = proxies.resolve(ClientAddress::new("10.0.0.1".parse().unwrap()), &headers);
        assert_eq!(resolved.client.to_string(), "10.0.0.2");
    }

    #[tokio::test(start_paused = true)]
    async fn an_untrusted_private_peer_that_forwards_is_a_misconfiguration_for_a_while() {
        let proxies = proxies(&["10.0.0.1/32"], ForwardedHeader::XForwardedFor);
        assert_eq!(client(&proxies, "192.0.2.1", &["6.6.6.6"]), "192.0.2.1");
        assert!(!proxies.is_misconfigured(), "any client may send the header");
        assert_eq!(client(&proxies, "10.0.0.2", &["6.6.6.6"]), "10.0.0.2");
        assert!(proxies.is_misconfigured());
        assert!(!proxies.misconfigured.record(), "logged within the minute");
        advance(Duration::from_mins(1)).await;
        assert!(proxies.misconfigured.record() && !proxies.misconfigured.record());
        advance(REMEMBERED).await;
        assert!(!proxies.is_misconfigured());
    }

    #[tokio::test]
    async fn the_other_header_of_a_trusted_peer_is_a_misconfiguration() {
        let proxies = proxies(&["10.0.0.1/32"], ForwardedHeader::Forwarded);
        assert_eq!(client(&proxies, "10.0.0.1", &["192.0.2.7"]), "10.0.0.1");
        assert!(proxies.is_misconfigured());
    }
}
