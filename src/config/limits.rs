//! `[limits]`: limits on posts and attempts.

use std::time::Duration;

use ipnet::IpNet;

use super::networks;
use super::reader::Reader;
use crate::domain::DomainName;
use crate::limits::Rate;

/// The limits on posts and attempts. `None` is no limit.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// Posts from an address; eight times as many from an IPv6 /48, 32 times from a block.
    pub posts: Option<Rate>,
    /// Attempts from an address; eight times as many from an IPv6 /48.
    pub address: Option<Rate>,
    /// Attempts for an e-mail address.
    pub email: Option<Rate>,
    /// Attempts with a valid proof for an e-mail address, from one network; eight times as many from an
    /// IPv6 /48.
    pub with_proof: Option<Rate>,
    /// Attempts in total.
    pub service: Option<Rate>,
    /// Captcha tokens from an address that the captcha service rejected; eight times as many from an
    /// IPv6 /48, 32 times from a block.
    pub failed_captchas: Option<Rate>,
    /// Log events of an address for requests that changed nothing; eight times as many of an IPv6
    /// /48, 32 times of a block.
    pub events: Option<Rate>,
    /// The maximum number of buckets in memory, for each limit.
    pub max_buckets: usize,
    /// Networks whose addresses are not limited.
    pub exempt: Vec<IpNet>,
    /// The e-mail addresses that count as one mailbox.
    pub email_key: EmailKeySettings,
}

/// The e-mail addresses that count as one mailbox.
#[derive(Debug, Clone, Default)]
pub struct EmailKeySettings {
    /// Ignores a `+` and the text after it.
    pub ignore_plus_tag: bool,
    /// The domains where dots before the `@` are ignored.
    pub ignore_dots: Vec<DomainName>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> LimitSettings {
    LimitSettings {
        posts: rate(reader, "posts"),
        address: rate(reader, "address"),
        email: rate(reader, "email"),
        with_proof: rate(reader, "with_proof"),
        service: rate(reader, "service"),
        failed_captchas: rate(reader, "failed_captchas"),
        events: rate(reader, "events"),
        max_buckets: reader.count("limits.max_buckets", 1_000..=100_000_000),
        exempt: reader.entries("limits.exempt", networks::NETWORK, networks::parse),
        email_key: EmailKeySettings {
            ignore_plus_tag: reader.flag("limits.email.ignore_plus_tag"),
            ignore_dots: reader.entries(
                "limits.email.ignore_dots",
                "a domain such as gmail.com",
                DomainName::parse,
            ),
        },
    }
}

fn rate(reader: &mut Reader<'_>, limit: &str) -> Option<Rate> {
    let burst = reader.number(&format!("limits.{limit}.burst"), 0..=1_000_000_000);
    let per_hour = reader.number(&format!("limits.{limit}.per_hour"), 1..=1_000_000_000);
    (burst > 0).then(|| Rate { burst, every: Duration::from_hours(1) / per_hour })
}
