//! The limits: how often an address may post, and how often it, its network, an e-mail address and
//! all together may attempt to sign up.
//!
//! Kept in the memory of each replica. Where several share a database, what passes here is spent
//! there once more, in the write that begins the attempt ([`PermitCharge`]); what is refused there is noted
//! here, so that a flood meets this replica's memory and not the database. `docs/limits.md` has the
//! numbers and the reasons.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::email_key::folded;
use super::gcra::BucketState;
use super::keyed_limiter::KeyedLimiter;
use super::network::Network;
use super::rate_limit_report::{Keys, Quota, RateLimitReport};
use crate::config::{EmailKeySettings, LimitSettings};
use crate::domain::EmailAddress;
use crate::ledger::{Digest, Digests, PermitCharge, SubKey};
use crate::limits::{Limit, Rate};
use crate::signup::Rejection;
use crate::telemetry::Metrics;

/// What an IPv6 /48 has, as a multiple of what one address has.
const SITE: u32 = 8;

/// All limits.
#[derive(Debug)]
pub struct Limits {
    posts: Option<Bounded>,
    site_posts: Option<Bounded>,
    address: Option<Bounded>,
    network: Option<Bounded>,
    email: Option<Bounded>,
    proven: Option<Bounded>,
    service: Option<Bounded>,
    exempt: Vec<IpNet>,
    mailbox: EmailKeySettings,
    /// Digests e-mail addresses, and whatever goes to a database.
    key: SubKey,
    /// Whether replicas share a database.
    shared: bool,
}

/// One limit that is on.
#[derive(Debug)]
struct Bounded {
    limit: Limit,
    rate: Rate,
    permits: KeyedLimiter,
}

impl Bounded {
    /// Spends a permit and notes how the bucket stands.
    fn spend(&self, key: u128, tally: &RateLimitReport) -> Result<(), Rejection> {
        let limit = self.limit;
        match self.permits.spend(key) {
            Ok(standing) => {
                if let Some(quota) = quota(limit, standing) {
                    tally.stands(Some(quota));
                }
                Ok(())
            }
            Err(standing) => {
                tally.stands(quota(limit, standing));
                Err(Rejection::Limited { limit, retry_after: standing.more_in })
            }
        }
    }
}

impl Limits {
    /// The limits of these settings. `shared`: whether attempts are charged in a database that
    /// several replicas share.
    pub fn new(
        settings: LimitSettings,
        digests: &Digests,
        shared: bool,
        metrics: &Metrics,
    ) -> Self {
        let LimitSettings {
            posts,
            address,
            email,
            with_proof,
            service,
            max_buckets,
            exempt,
            email_key,
        } = settings;
        let bounded = |limit: Limit, rate: Option<Rate>| {
            let rate = rate?;
            let permits = KeyedLimiter::new(rate, max_buckets, metrics.limiter(limit.name()));
            Some(Bounded { limit, rate, permits })
        };
        let (key, _) = digests.sub_keys("limits v1");
        Self {
            posts: bounded(Limit::Posts, posts),
            site_posts: bounded(Limit::SitePosts, posts.map(of_a_site)),
            address: bounded(Limit::Address, address),
            network: bounded(Limit::Network, address.map(of_a_site)),
            email: bounded(Limit::Email, email),
            proven: bounded(Limit::WithProof, with_proof),
            service: bounded(Limit::Service, service),
            exempt,
            mailbox: email_key,
            key,
            shared,
        }
    }

    /// The limits that an address is told of, with their rates, where they are on.
    pub fn told(&self) -> impl Iterator<Item = (Limit, Rate)> {
        let told = [&self.posts, &self.address].into_iter().flatten();
        told.map(|bounded| (bounded.limit, bounded.rate))
    }

    /// Spends the post of an address.
    ///
    /// # Errors
    /// How long to wait, when it has posted too often.
    pub fn post(&self, address: IpAddr, tally: &RateLimitReport) -> Result<(), Rejection> {
        let network = Network::from(address);
        if self.is_exempt(address) {
            if let Some(posts) = &self.posts {
                posts.permits.metrics().exempt();
            }
            return Ok(());
        }
        if let Some(posts) = &self.posts {
            posts.spend(network.bits(), tally)?;
        }
        match (&self.site_posts, network.site()) {
            (Some(posts), Some(site)) => posts.spend(site.bits(), tally),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Spends an attempt, and says what it has to spend where replicas share a database. A valid
    /// proof passes beyond the limits, up to a cap for its network and the e-mail address.
    ///
    /// The narrowest limit comes first, and what it refuses spends nothing of the others: whoever
    /// exhausts the permits of an address cannot go on to exhaust those of everybody.
    ///
    /// # Errors
    /// Which limit refuses, and how long to wait.
    pub fn attempt(
        &self,
        address: IpAddr,
        email: &EmailAddress,
        is_proven: bool,
        tally: &RateLimitReport,
    ) -> Result<Vec<PermitCharge>, Rejection> {
        let keys = self.keys(address, email, is_proven);
        let exempt = self.is_exempt(address);
        let mut spent = Vec::new();
        for (bounded, key) in self.each(&keys) {
            let metrics = bounded.permits.metrics();
            match (bounded.limit, is_proven) {
                (Limit::Address | Limit::Network, _) if exempt => metrics.exempt(),
                (Limit::WithProof, _) | (_, false) => {
                    bounded.spend(key, tally)?;
                    if self.shared {
                        spent.push(self.charge(bounded, key));
                    }
                }
                (_, true) => metrics.proven(),
            }
        }
        tally.spent(keys);
        Ok(spent)
    }

    /// Notes what the limits that replicas share refused to an attempt that passed here. Twins that
    /// only waited for it note nothing.
    pub fn refused(&self, refusal: Rejection, tally: &RateLimitReport) {
        let Rejection::Limited { limit, retry_after } = refusal else { return };
        let Some(keys) = tally.keys() else { return };
        for (bounded, key) in self.each(&keys).filter(|(bounded, _)| bounded.limit == limit) {
            bounded.permits.learn(key, retry_after);
            bounded.permits.metrics().refused_shared();
            tally.stands(quota(limit, BucketState { left: 0, more_in: retry_after }));
        }
    }

    /// The limits on attempts that are on, with the bucket of each, the narrowest first.
    fn each<'l>(&'l self, keys: &Keys) -> impl Iterator<Item = (&'l Bounded, u128)> {
        let pairs = [
            (&self.address, Some(keys.address)),
            (&self.network, keys.network),
            (&self.email, Some(keys.email)),
            (&self.proven, keys.proven),
            (&self.service, Some(0)),
        ];
        pairs.into_iter().filter_map(|(bounded, key)| Some((bounded.as_ref()?, key?)))
    }

    fn keys(&self, address: IpAddr, email: &EmailAddress, is_proven: bool) -> Keys {
        let network = Network::from(address);
        let address = network.bits();
        let email = key_of(
            &self.key.digest([b"email".as_slice(), folded(email, &self.mailbox).as_bytes()]),
        );
        let proven = || {
            // Both parts are of a fixed length.
            let both = [b"proven".as_slice(), &email.to_be_bytes(), &address.to_be_bytes()];
            key_of(&self.key.digest(both))
        };
        Keys {
            address,
            network: network.site().map(Network::bits),
            email,
            proven: is_proven.then(proven),
        }
    }

    /// No address, not even the key of one, goes to the database as it is.
    fn charge(&self, bounded: &Bounded, key: u128) -> PermitCharge {
        let limit = bounded.limit;
        let parts = [b"bucket".as_slice(), limit.name().as_bytes(), &key.to_be_bytes()];
        PermitCharge { limit, bucket: self.key.digest(parts), rate: bounded.rate }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.exempt.iter().any(|network| network.contains(&address))
    }
}

/// What an address is told of: its own limits. How an e-mail address, a network or the service stands
/// is nobody's business.
const fn quota(limit: Limit, standing: BucketState) -> Option<Quota> {
    match limit {
        Limit::Posts | Limit::Address => {
            Some(Quota { limit, left: standing.left, more_in: standing.more_in })
        }
        Limit::SitePosts | Limit::Network | Limit::Email | Limit::WithProof | Limit::Service => {
            None
        }
    }
}

fn of_a_site(rate: Rate) -> Rate {
    let every = (rate.every / SITE).max(Duration::from_micros(1));
    Rate { burst: rate.burst.saturating_mul(SITE), every }
}

fn key_of(digest: &Digest) -> u128 {
    let mut key = [0; 16];
    // Half of a digest is enough that no two meet.
    for (byte, from) in key.iter_mut().zip(digest.as_bytes()) {
        *byte = *from;
    }
    u128::from_be_bytes(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digests;

    const RARELY: Duration = Duration::from_hours(1);

    fn settings() -> LimitSettings {
        let rate = |burst| Some(Rate { burst, every: RARELY });
        LimitSettings {
            posts: rate(4),
            address: rate(3),
            email: rate(2),
            with_proof: rate(2),
            service: None,
            max_buckets: 10_000,
            exempt: Vec::new(),
            email_key: EmailKeySettings { ignore_plus_tag: true, ignore_dots: Vec::new() },
        }
    }

    fn limits(settings: LimitSettings, shared: bool) -> Limits {
        let digests = Digests::new(&"k".repeat(32).into(), None);
        Limits::new(settings, &digests, shared, &Metrics::new())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn email(number: u32) -> EmailAddress {
        EmailAddress::parse(&format!("ada{number}@example.com")).unwrap()
    }

    /// The limit that refuses, if one does.
    fn refusal<T>(spent: Result<T, Rejection>) -> Option<Limit> {
        match spent.err()? {
            Rejection::Limited { limit, .. } => Some(limit),
            other => panic!("{other:?}"),
        }
    }

    fn attempt(limits: &Limits, from: &str, email: &EmailAddress, proven: bool) -> Option<Limit> {
        refusal(limits.attempt(address(from), email, proven, &RateLimitReport::default()))
    }

    #[test]
    fn nobody_closes_an_address_to_its_owner() {
        let limits = limits(settings(), false);
        let victim = email(0);
        // From any number of places, with and without proofs.
        for n in 0..50 {
            let from = format!("192.0.2.{n}");
            attempt(&limits, &from, &victim, false);
            for _ in 0..9 {
                attempt(&limits, &from, &victim, true);
            }
        }
        assert_eq!(attempt(&limits, "198.51.100.1", &victim, false), Some(Limit::Email));
        assert_eq!(attempt(&limits, "198.51.100.1", &victim, true), None);
        // A tag is no way round, and a cap there is.
        let tagged = EmailAddress::parse("ADA0+x@example.com").unwrap();
        assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), None);
        assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), Some(Limit::WithProof));
    }

    #[test]
    fn one_who_has_no_permits_left_spends_nobody_elses() {
        let limits = limits(settings(), false);
        for n in 1..=3 {
            assert_eq!(attempt(&limits, "192.0.2.1", &email(n), false), None);
        }
        for _ in 0..20 {
            assert_eq!(attempt(&limits, "192.0.2.1", &email(0), false), Some(Limit::Address));
        }
        for _ in 0..2 {
            assert_eq!(attempt(&limits, "192.0.2.2", &email(0), false), None);
        }
        assert_eq!(attempt(&limits, "192.0.2.2", &email(0), false), Some(Limit::Email));
    }

    #[test]
    fn a_site_that_rotates_its_networks_has_eight_times_one_addresss_permits() {
        let limits = limits(settings(), false);
        let mut passed = 0;
        for n in 0..1_000 {
            let from = format!("2001:db8:7:{n:x}::1");
            match attempt(&limits, &from, &email(n), false) {
                None => passed += 1,
                Some(limit) => assert_eq!(limit, Limit::Network),
            }
        }
        assert_eq!(passed, 24);
        assert_eq!(attempt(&limits, "2001:db8:8::1", &email(0), false), None);

        let posts = |n: u32| {
            let from = address(&format!("2001:db8:9:{n:x}::1"));
            refusal(limits.post(from, &RateLimitReport::default()))
        };
        assert_eq!((0..1_000).filter(|n| posts(*n).is_none()).count(), 32);
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_same() {
        let limits = limits(settings(), false);
        for (n, from) in (0..).zip(["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"]) {
            assert_eq!(attempt(&limits, from, &email(n), false), None);
        }
        let mapped = "::ffff:192.0.2.1";
        assert_eq!(attempt(&limits, mapped, &email(9), false), Some(Limit::Address));
    }

    #[test]
    fn an_exempt_network_still_has_the_limits_of_an_e_mail_address() {
        let exempt = vec!["192.0.2.0/24".parse().unwrap()];
        let limits = limits(LimitSettings { exempt, ..settings() }, false);
        for n in 0..20 {
            let tally = RateLimitReport::default();
            assert_eq!(refusal(limits.post(address("::ffff:192.0.2.9"), &tally)), None);
            assert_eq!(attempt(&limits, "192.0.2.9", &email(n), false), None);
            assert_eq!(tally.quota(), None);
        }
        assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), None);
        assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), Some(Limit::Email));
    }

    #[test]
    fn only_its_own_limits_are_told_to_an_address() {
        let limits = limits(settings(), false);
        let tally = RateLimitReport::default();
        let spend = || limits.attempt(address("192.0.2.1"), &email(0), false, &tally);
        assert!(limits.post(address("192.0.2.1"), &tally).is_ok());
        assert_eq!(tally.quota().map(|quota| (quota.limit, quota.left)), Some((Limit::Posts, 3)));
        assert!(spend().is_ok() && spend().is_ok());
        assert_eq!(tally.quota().map(|quota| (quota.limit, quota.left)), Some((Limit::Address, 1)));
        assert_eq!(refusal(spend()), Some(Limit::Email));
        assert_eq!(tally.quota(), None);
    }

    #[test]
    fn what_replicas_share_is_charged_by_digest_and_its_refusal_is_noted() {
        let limits = limits(settings(), true);
        let tally = RateLimitReport::default();
        let charges = limits.attempt(address("2001:db8::1"), &email(0), false, &tally).unwrap();
        let charged: Vec<_> = charges.iter().map(|charge| charge.limit).collect();
        assert_eq!(charged, [Limit::Address, Limit::Network, Limit::Email]);
        let mut buckets: Vec<_> = charges.iter().map(|charge| charge.bucket).collect();
        buckets.dedup();
        assert_eq!(buckets.len(), 3);

        let wait = Duration::from_secs(90);
        let refused = Rejection::Limited { limit: Limit::Address, retry_after: wait };
        // A twin that only waited for the attempt.
        limits.refused(refused, &RateLimitReport::default());
        assert_eq!(attempt(&limits, "2001:db8::1", &email(1), false), None);
        limits.refused(refused, &tally);
        assert_eq!(tally.quota().map(|quota| (quota.left, quota.more_in)), Some((0, wait)));
        assert_eq!(attempt(&limits, "2001:db8::1", &email(2), false), Some(Limit::Address));
    }

    #[test]
    fn what_is_off_spends_nothing() {
        let off = LimitSettings {
            posts: None,
            address: None,
            email: None,
            with_proof: None,
            ..settings()
        };
        let limits = limits(off, true);
        for _ in 0..100 {
            let tally = RateLimitReport::default();
            assert!(limits.post(address("192.0.2.1"), &tally).is_ok());
            let charges = limits.attempt(address("192.0.2.1"), &email(0), false, &tally);
            assert_eq!(charges, Ok(Vec::new()));
        }
    }
}
