//! The way to the tenant: the proxy, DNS, TLS, a first response, and the clocks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Url;

use super::check::{DoctorCheck, Severity};
use super::finding::Finding;
use super::kind::FindingKind;
use super::report::DoctorReport;
use crate::auth0::{ChainProblem, ChainState, Discovery, Inspector, ObservedHandshake};
use crate::clock::{Clock, utc};
use crate::config::{Auth0Settings, OutboundProxy, Settings};
use crate::telemetry::{ClockSkew, chain};

/// The remaining validity below which a certificate should have been renewed.
const RENEWAL: Duration = Duration::from_hours(24 * 14);

/// The resolution of `Date`, which is rounded down.
const RESOLUTION: Duration = Duration::from_secs(1);

/// Checks the way to the tenant. Returns the inspector if the tenant responds.
pub(super) async fn check(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    report: &mut DoctorReport,
) -> Option<Inspector> {
    let auth0 = &settings.auth0;
    let proxy = auth0.outbound.proxy.as_ref();
    let used = proxy.filter(|proxy| proxy.url.is_ok());
    let is_open = if check_proxy(auth0, proxy, report).await {
        check_dns(auth0, used, report).await
    } else {
        report.skip([DoctorCheck::Dns], "the proxy cannot be reached");
        false
    };
    if !is_open {
        let skipped = [DoctorCheck::Tls, DoctorCheck::Tenant, DoctorCheck::Clock];
        report.skip(skipped, "there is no way to the tenant");
        return None;
    }
    let tenant = match Inspector::new(auth0, settings.terms.clone(), Arc::clone(clock)) {
        Ok(tenant) => tenant,
        Err(error) => {
            report.push(Finding::about(FindingKind::TlsSetup, chain(&error)));
            let skipped = [DoctorCheck::Tenant, DoctorCheck::Clock];
            report.skip(skipped, "there is no client for the tenant");
            return None;
        }
    };
    let response = tenant.discover().await;
    let is_tenant = |handshake: &ObservedHandshake| handshake.host == host(auth0);
    let (of_tenant, of_proxy) = match tenant.last_handshake() {
        Some(handshake) if !is_tenant(&handshake) => (None, Some(handshake.state)),
        handshake => (handshake.map(|handshake| handshake.state), None),
    };
    if let (Some(proxy), Some(ChainState::Rejected(problem))) = (used, of_proxy) {
        let details = vec![proxy.address.clone(), problem.to_string()];
        report.push(Finding::with(FindingKind::ProxyUntrusted, details).at(proxy.variable));
        let skipped = [DoctorCheck::Tls, DoctorCheck::Tenant, DoctorCheck::Clock];
        report.skip(skipped, "the proxy's certificate is not trusted");
        return None;
    }
    let tls = tls(auth0, of_tenant, clock.now());
    let is_untrusted = tls.severity() == Severity::Error;
    report.push(tls);
    match response {
        Ok(Discovery::Failing(status)) => {
            let details = vec![auth0.base.clone(), status.to_string()];
            report.push(Finding::with(FindingKind::TenantFailing, details));
            report.skip([DoctorCheck::Clock], "no response shows the tenant's time");
            Some(tenant)
        }
        Ok(discovery) => {
            let is_tenant = discovery == Discovery::Tenant;
            let kind =
                if is_tenant { FindingKind::TenantOk } else { FindingKind::TenantUnrecognised };
            report.push(Finding::about(kind, &auth0.base));
            report.push(skew(&tenant, clock.now()));
            Some(tenant)
        }
        Err(_) if is_untrusted => {
            let skipped = [DoctorCheck::Tenant, DoctorCheck::Clock];
            report.skip(skipped, "the tenant's certificate is not trusted");
            None
        }
        Err(error) => {
            let details = vec![auth0.base.clone(), chain(&error)];
            report.push(Finding::with(FindingKind::TenantUnreachable, details));
            report.skip([DoctorCheck::Clock], "the tenant does not respond");
            None
        }
    }
}

/// Checks the proxy of the environment. Returns `false` if it cannot be reached.
async fn check_proxy(
    auth0: &Auth0Settings,
    proxy: Option<&OutboundProxy>,
    report: &mut DoctorReport,
) -> bool {
    let Some(OutboundProxy { variable, address, url }) = proxy else {
        report.push(Finding::new(FindingKind::ProxyNone));
        return true;
    };
    if let Err(reason) = url {
        report.push(Finding::about(FindingKind::ProxyBypassed, reason));
        return true;
    }
    let reached = within(auth0.connect_timeout, TcpStream::connect(address.as_str())).await;
    let is_reached = reached.is_ok();
    report.push(match reached {
        Ok(_) => Finding::about(FindingKind::ProxyUsed, address),
        Err(error) => {
            let details = vec![address.clone(), error.to_string()];
            Finding::with(FindingKind::ProxyUnreachable, details).at(*variable)
        }
    });
    is_reached
}

/// Checks that the tenant's name resolves, unless a proxy resolves it.
async fn check_dns(
    auth0: &Auth0Settings,
    proxy: Option<&OutboundProxy>,
    report: &mut DoctorReport,
) -> bool {
    let host = host(auth0);
    if proxy.is_some() {
        report.push(Finding::about(FindingKind::DnsByProxy, host));
        return true;
    }
    let base = Url::parse(&auth0.base).ok();
    let port = base.as_ref().and_then(Url::port_or_known_default).unwrap_or_default();
    let found = within(auth0.connect_timeout, lookup_host((host.as_str(), port))).await;
    let found = found.map(Iterator::count);
    let is_found = found.is_ok();
    report.push(match found {
        Ok(count) => Finding::with(FindingKind::DnsOk, vec![host, count.to_string()]),
        Err(error) => Finding::with(FindingKind::DnsFailed, vec![host, error.to_string()]),
    });
    is_found
}

/// The tenant's name or address. Brackets belong to the URL, not to the address.
fn host(auth0: &Auth0Settings) -> String {
    let base = Url::parse(&auth0.base).ok();
    let host = base.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The finding about the tenant's certificates.
fn tls(auth0: &Auth0Settings, chain: Option<ChainState>, now: Duration) -> Finding {
    if auth0.base.starts_with("http://") {
        return Finding::new(FindingKind::TlsUnused);
    }
    match chain {
        None => Finding::skipped(DoctorCheck::Tls, "no handshake came as far as the certificates"),
        Some(ChainState::Trusted { expires_at }) => {
            let is_near = expires_at.is_some_and(|at| at.saturating_sub(now) < RENEWAL);
            let kind = if is_near { FindingKind::TlsExpiring } else { FindingKind::TlsOk };
            let day = expires_at.map_or_else(|| "an unknown day".to_owned(), day);
            Finding::about(kind, day)
        }
        Some(ChainState::Rejected(problem)) => {
            let kind = match &problem {
                ChainProblem::Expired => FindingKind::TlsExpired,
                ChainProblem::NotYetValid => FindingKind::TlsNotYetValid,
                ChainProblem::WrongName => FindingKind::TlsWrongName,
                ChainProblem::UnknownIssuer => FindingKind::TlsUnknownIssuer,
                ChainProblem::Other(_) => FindingKind::TlsRejected,
            };
            Finding::about(kind, problem)
        }
    }
}

/// The date of a time, in UTC.
fn day(at: Duration) -> String {
    let text = utc(at);
    text.split_once('T').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
}

/// Compares this machine's clock with the tenant's.
fn skew(tenant: &Inspector, now: Duration) -> Finding {
    let Some(theirs) = tenant.tenant_now() else {
        return Finding::new(FindingKind::ClockUnknown);
    };
    let theirs = theirs.since_epoch();
    let ahead = now.saturating_sub(theirs + RESOLUTION);
    let behind = theirs.saturating_sub(now);
    let (skew, side) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    if skew < ClockSkew::NOTABLE {
        return Finding::new(FindingKind::ClockOk);
    }
    let is_severe = skew >= ClockSkew::SEVERE;
    let kind = if is_severe { FindingKind::ClockWrong } else { FindingKind::ClockSkewed };
    let seconds = format!("{}.{}", skew.as_secs(), skew.subsec_millis() / 100);
    Finding::with(kind, vec![seconds, side.to_owned()])
}
