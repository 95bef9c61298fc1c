//! Settings that can be read, and are still unlikely to be meant.

use std::time::Duration;

use ipnet::IpNet;

use super::finding::{Finding, or_ok};
use super::kind::FindingKind;
use crate::config::{Auth0Settings, HttpSettings, OriginSettings, Settings};
use crate::origin::AllowedOrigin;

/// The slowest create call recorded at Auth0 (`config/default.toml`).
const SLOWEST_CALL: Duration = Duration::from_millis(5_200);

/// The time for which most load balancers keep an idle connection (`docs/configuration.md`).
const BALANCER_IDLE: Duration = Duration::from_mins(1);

/// The shortest prefixes that a network of proxies has: no owner of proxies has more addresses.
const SHORTEST_PREFIX: (u8, u8) = (8, 16);

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let Settings { auth0, http, .. } = settings;
    let mut findings = vec![Finding::new(FindingKind::SettingsOk)];
    findings.extend(origins(&http.origins));
    findings.extend(proxies(&http.proxies.trusted));
    findings.extend(timeouts(auth0, http));
    findings
}

fn origins(settings: &OriginSettings) -> Vec<Finding> {
    let OriginSettings { allowed, own, .. } = settings;
    let mut findings = Vec::new();
    let is_exposed = |origin: &str| {
        let example = origin.trim_end_matches(":*").replace('*', "any");
        example.starts_with("http://") && !AllowedOrigin::Loopback.covers(&example)
    };
    for origin in allowed.iter() {
        if let AllowedOrigin::Listed(text) = origin
            && is_exposed(text)
        {
            findings.push(Finding::about(FindingKind::OriginsPlainHttp, text));
        }
    }
    if own.is_none() {
        findings.push(Finding::new(FindingKind::OriginsNoPublicUrl));
    }
    or_ok(findings, Finding::about(FindingKind::OriginsOk, allowed.iter().count()))
}

fn proxies(trusted: &[IpNet]) -> Vec<Finding> {
    let is_wide = |network: &&IpNet| match network {
        IpNet::V4(network) => network.prefix_len() < SHORTEST_PREFIX.0,
        IpNet::V6(network) => network.prefix_len() < SHORTEST_PREFIX.1,
    };
    let wide = trusted.iter().filter(is_wide);
    let findings = wide.map(|network| Finding::about(FindingKind::ProxiesTooWide, network));
    or_ok(findings.collect(), Finding::about(FindingKind::ProxiesOk, trusted.len()))
}

fn timeouts(auth0: &Auth0Settings, http: &HttpSettings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if auth0.timeout < SLOWEST_CALL {
        let millis = auth0.timeout.as_millis();
        findings.push(Finding::about(FindingKind::TimeoutsCallTooShort, millis));
    }
    if auth0.connect_timeout >= auth0.timeout {
        findings.push(Finding::new(FindingKind::TimeoutsConnectTooLong));
    }
    if http.idle_timeout <= BALANCER_IDLE {
        let millis = http.idle_timeout.as_millis();
        findings.push(Finding::about(FindingKind::TimeoutsIdleTooShort, millis));
    }
    if http.shutdown_timeout < http.request_timeout {
        findings.push(Finding::new(FindingKind::TimeoutsDrainTooShort));
    }
    or_ok(findings, Finding::new(FindingKind::TimeoutsOk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::id).collect()
    }

    #[test]
    fn a_network_that_covers_much_of_the_internet_is_reported() {
        let check = |networks: &[&str]| {
            let networks: Vec<_> = networks.iter().map(|text| text.parse().unwrap()).collect();
            ids(&proxies(&networks))
        };
        assert_eq!(check(&[]), ["proxies.ok"]);
        assert_eq!(check(&["10.0.0.0/8", "fd00::/16"]), ["proxies.ok"]);
        assert_eq!(check(&["0.0.0.0/0", "10.0.0.0/8"]), ["proxies.too_wide"]);
        assert_eq!(check(&["::/0", "128.0.0.0/1"]), ["proxies.too_wide", "proxies.too_wide"]);
    }

    #[test]
    fn an_origin_without_tls_is_reported_unless_it_is_this_machine() {
        let check = |allowed: &[&str], own: Option<&str>| {
            let listed = |text: &&str| AllowedOrigin::Listed((*text).to_owned());
            let settings = OriginSettings {
                allowed: allowed.iter().map(listed).collect(),
                own: own.map(|own| own.parse().unwrap()),
                required: false,
                allowed_headers: Vec::new(),
            };
            ids(&origins(&settings))
        };
        let own = Some("https://signup.example.com");
        let secure = [
            "https://www.example.com",
            "http://localhost:3000",
            "http://app.localhost:3000",
            "http://127.0.0.2",
            "http://[::1]:3000",
            "http://localhost:*",
            "http://*.localhost:*",
            "http://[::1]:*",
            "http://*.app.localhost:3000",
            "capacitor://localhost",
        ];
        assert_eq!(check(&secure, own), ["origins.ok"]);
        for origin in ["http://www.example.com", "http://*.dev.internal:3000"] {
            assert_eq!(check(&[origin], own), ["origins.plain_http"], "{origin}");
        }
        assert_eq!(check(&[], None), ["origins.no_public_url"]);
    }
}
