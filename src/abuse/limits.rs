//! The limits: on the posts of an address, and on the attempts of an address, of its network, for
//! an e-mail address and of all clients together.
//!
//! Each replica keeps its limits in memory. Where replicas share a database, an attempt that passes
//! here spends a second permit there, in the write that starts it ([`PermitCharge`]). A rejection
//! by the database is recorded here, so that this replica's memory stops a flood before it
//! reaches the database. `docs/limits.md` has the numbers and the reasons.

use std::net::IpAddr;

use ipnet::IpNet;

use super::active_limit::{ActiveLimit, quota};
use super::email_key::normalize_mailbox;
use super::gcra::BucketState;
use super::network::{Network, any_contains};
use super::network_limiter::{NetworkLimiter, site_rate};
use super::rate_limit_report::{BucketKeys, RateLimitReport};
use super::state::AbuseState;
use crate::config::{EmailKeySettings, LimitSettings};
use crate::context::Context;
use crate::digest::{Digest, SubKey};
use crate::domain::EmailAddress;
use crate::ledger::PermitCharge;
use crate::limits::{AttemptCost, Limit, Rate};
use crate::signup::Rejection;

/// All limits.
#[derive(Debug)]
pub struct Limits {
    posts: Option<ActiveLimit>,
    site_posts: Option<ActiveLimit>,
    /// The limits on attempts that are on, the narrowest first.
    attempts: Vec<ActiveLimit>,
    /// The same buckets, for attempts that count twice.
    doubled_attempts: Vec<ActiveLimit>,
    /// The log events of requests that changed nothing.
    events: Option<NetworkLimiter>,
    /// Counts the events that were not logged.
    state: AbuseState,
    exempt: Vec<IpNet>,
    email_key: EmailKeySettings,
    /// Digests e-mail addresses, and every key that goes to a database.
    key: SubKey,
    /// Attempts are also charged in a database that replicas share.
    shared: bool,
}

/// The application of a limit to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applies {
    /// The attempt needs a permit.
    Yes,
    /// The network is exempt.
    Exempt,
    /// The attempt's proof lifts the limit.
    Lifted,
}

impl Applies {
    const fn new(limit: Limit, has_proof: bool, is_exempt: bool) -> Self {
        match (limit, has_proof) {
            (Limit::Address | Limit::Site | Limit::Block, _) if is_exempt => Self::Exempt,
            (Limit::WithProof, _) | (_, false) => Self::Yes,
            (_, true) => Self::Lifted,
        }
    }
}

impl Limits {
    /// The limits of these settings, with the buckets of `state`. `shared`: attempts are also charged
    /// in a database that several replicas share.
    pub fn new(
        settings: LimitSettings,
        shared: bool,
        state: &AbuseState,
        context: &Context,
    ) -> Self {
        let Context { digests, metrics, .. } = context;
        let LimitSettings {
            posts,
            address,
            email,
            with_proof,
            service,
            failed_captchas: _,
            events,
            max_buckets,
            exempt,
            email_key,
        } = settings;
        let active = |limit: Limit, rate: Option<Rate>| {
            let rate = rate?;
            let (name, metrics) = (limit.name(), metrics.limiter(limit.name()));
            let limiter = state.limiter(name, rate, max_buckets, metrics);
            Some(ActiveLimit { limit, rate, limiter })
        };
        let (key, _) = digests.sub_keys("limits v1");
        let attempts = [
            active(Limit::Address, address),
            active(Limit::Site, address.map(site_rate)),
            active(Limit::Email, email),
            active(Limit::WithProof, with_proof),
            active(Limit::Block, service.and_then(part_of_a_block)),
            active(Limit::Service, service),
        ];
        let attempts: Vec<_> = attempts.into_iter().flatten().collect();
        Self {
            posts: active(Limit::Posts, posts),
            site_posts: active(Limit::SitePosts, posts.map(site_rate)),
            doubled_attempts: attempts.iter().map(ActiveLimit::halved).collect(),
            attempts,
            events: events.map(|rate| {
                let names = ["events", "site_events"];
                NetworkLimiter::new(rate, max_buckets, state, names, metrics)
            }),
            state: state.clone(),
            exempt,
            email_key,
            key,
            shared,
        }
    }

    /// The limits on posts and attempts that are on, with their rates.
    pub fn rates(&self) -> impl Iterator<Item = (Limit, Rate)> {
        let all = self.posts.iter().chain(&self.site_posts).chain(&self.attempts);
        all.map(|active| (active.limit, active.rate))
    }

    /// Takes a permit for a post from this address.
    ///
    /// # Errors
    /// The time to wait, if the address has posted too often.
    pub fn acquire_post(&self, address: IpAddr, report: &RateLimitReport) -> Result<(), Rejection> {
        let Some(posts) = &self.posts else { return Ok(()) };
        if self.is_exempt(address) {
            posts.limiter.metrics().exempt();
            return Ok(());
        }
        let network = Network::from(address);
        posts.check(network.bits(), report)?;
        // A site without permits gets no further buckets for its networks.
        if let (Some(site_posts), Some(site)) = (&self.site_posts, network.site()) {
            site_posts.try_acquire(site.bits(), report)?;
        }
        posts.try_acquire(network.bits(), report)
    }

    /// Returns whether one more event of this address may be logged that changed nothing.
    pub fn admits_event(&self, address: IpAddr) -> bool {
        let Some(events) = self.events.as_ref().filter(|_| !self.is_exempt(address)) else {
            return true;
        };
        let is_admitted = events.try_acquire(Network::from(address)).is_ok();
        if !is_admitted {
            self.state.count_unlogged();
        }
        is_admitted
    }

    /// Returns whether a limit that a proof lifts would reject an attempt without one.
    pub fn needs_proof(&self, address: IpAddr, email: &EmailAddress) -> bool {
        let is_exempt = self.is_exempt(address);
        let keys = self.keys(address, email, false, AttemptCost::One);
        self.for_attempts(&keys).any(|(active, key)| {
            Applies::new(active.limit, false, is_exempt) == Applies::Yes
                && active.limit.yields_to_proof()
                && active.limiter.state(key).remaining == 0
        })
    }

    /// Takes the permits for an attempt, and returns the charges to make in a shared database, at
    /// most one for each bucket. A valid proof lifts the limits, up to a cap for its network and
    /// e-mail address.
    ///
    /// The narrowest limit comes first, and an attempt that any of them rejects takes no permit
    /// (unless another attempt takes the last one in between): a client that has used up its own
    /// permits cannot use up everybody's.
    ///
    /// # Errors
    /// The limit that rejects the attempt, and the time to wait.
    pub fn acquire_attempt(
        &self,
        address: IpAddr,
        email: &EmailAddress,
        has_proof: bool,
        cost: AttemptCost,
        report: &RateLimitReport,
    ) -> Result<Vec<PermitCharge>, Rejection> {
        let keys = self.keys(address, email, has_proof, cost);
        let is_exempt = self.is_exempt(address);
        let applies = |active: &ActiveLimit| Applies::new(active.limit, has_proof, is_exempt);
        for (active, key) in self.for_attempts(&keys) {
            if applies(active) == Applies::Yes {
                active.check(key, report)?;
            }
        }
        let mut charges = Vec::new();
        for (active, key) in self.for_attempts(&keys) {
            let metrics = active.limiter.metrics();
            match applies(active) {
                Applies::Exempt => metrics.exempt(),
                Applies::Lifted => metrics.with_proof(),
                Applies::Yes => {
                    active.try_acquire(key, report)?;
                    if self.shared {
                        charges.push(self.charge(active, key));
                    }
                }
            }
        }
        report.record_keys(keys);
        Ok(charges)
    }

    /// Records that the shared limits rejected an attempt that passed here.
    pub fn record_shared_rejection(&self, rejection: Rejection, report: &RateLimitReport) {
        let Rejection::Limited { limit, retry_after } = rejection else { return };
        let Some(keys) = report.keys() else { return };
        for (active, key) in self.for_attempts(&keys).filter(|(active, _)| active.limit == limit) {
            active.limiter.block_for(key, retry_after);
            active.limiter.metrics().rejected_shared();
            report.record(quota(limit, BucketState { remaining: 0, next_in: retry_after }));
        }
    }

    /// The limits on attempts that are on, each with the key of its bucket, the narrowest first.
    fn for_attempts<'l>(
        &'l self,
        keys: &BucketKeys,
    ) -> impl Iterator<Item = (&'l ActiveLimit, u128)> {
        let limits = match keys.cost {
            AttemptCost::One => &self.attempts,
            AttemptCost::Two => &self.doubled_attempts,
        };
        limits.iter().filter_map(|active| Some((active, keys.get(active.limit)?)))
    }

    fn keys(
        &self,
        address: IpAddr,
        email: &EmailAddress,
        has_proof: bool,
        cost: AttemptCost,
    ) -> BucketKeys {
        let network = Network::from(address);
        let block = network.block().bits();
        let address = network.bits();
        let mailbox = normalize_mailbox(email, &self.email_key);
        let email = key_of(&self.key.digest([b"email".as_slice(), mailbox.as_bytes()]));
        let with_proof = || {
            // Both parts have a fixed length.
            let both = [b"with_proof".as_slice(), &email.to_be_bytes(), &address.to_be_bytes()];
            key_of(&self.key.digest(both))
        };
        BucketKeys {
            address,
            site: network.site().map(Network::bits),
            block,
            email,
            with_proof: has_proof.then(with_proof),
            cost,
        }
    }

    /// The charge in the shared database. The bucket is a digest: neither an address nor its key is
    /// stored there.
    fn charge(&self, active: &ActiveLimit, key: u128) -> PermitCharge {
        let limit = active.limit;
        let parts = [b"bucket".as_slice(), limit.name().as_bytes(), &key.to_be_bytes()];
        PermitCharge { limit, bucket: self.key.digest(parts), rate: active.rate }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        any_contains(&self.exempt, address)
    }
}

/// The part of all attempts that one block may take: a quarter, so that its many addresses cannot
/// take all permits of the service. `None` where the whole is too small to be divided.
fn part_of_a_block(service: Rate) -> Option<Rate> {
    const PART: u32 = 4;
    const FEWEST: u32 = 100;
    let burst = service.burst / PART;
    (burst >= FEWEST).then(|| Rate { burst, every: service.every.saturating_mul(PART) })
}

fn key_of(digest: &Digest) -> u128 {
    // Half of a digest is enough to keep keys distinct.
    u128::from_be_bytes(digest.as_bytes().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::digest::Digests;

    const RARELY: Duration = Duration::from_hours(1);

    fn settings() -> LimitSettings {
        let rate = |burst| Some(Rate { burst, every: RARELY });
        LimitSettings {
            posts: rate(4),
            address: rate(3),
            email: rate(2),
            with_proof: rate(2),
            service: None,
            failed_captchas: None,
            events: None,
            max_buckets: 10_000,
            exempt: Vec::new(),
            email_key: EmailKeySettings { ignore_plus_tag: true, ignore_dots: Vec::new() },
        }
    }

    fn limits(settings: LimitSettings, shared: bool) -> Limits {
        let digests = Digests::new(&"k".repeat(32).into(), None);
        Limits::new(
            settings,
            shared,
            &AbuseState::default(),
            &Context::new(Arc::new(SystemClock), digests),
        )
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn email(number: u32) -> EmailAddress {
        EmailAddress::parse(&format!("ada{number}@example.com")).unwrap()
    }

    /// The limit that rejects, if one does.
    fn rejected_by<T>(acquired: Result<T, Rejection>) -> Option<Limit> {
        match acquired.err()? {
            Rejection::Limited { limit, .. } => Some(limit),
            other => panic!("{other:?}"),
        }
    }

    fn attempt(
        limits: &Limits,
        from: &str,
        email: &EmailAddress,
        has_proof: bool,
    ) -> Option<Limit> {
        rejected_by(limits.acquire_attempt(
            address(from),
            email,
            has_proof,
            AttemptCost::One,
            &RateLimitReport::default(),
        ))
    }

    #[test]
    fn nobody_can_lock_the_owner_of_an_address_out() {
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
        // A tag does not get around the cap.
        let tagged = EmailAddress::parse("ADA0+x@example.com").unwrap();
        assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), None);
        assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), Some(Limit::WithProof));
    }

    #[test]
    fn an_address_without_permits_spends_no_other_permits() {
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
    fn a_site_that_rotates_networks_has_eight_times_the_permits_of_an_address() {
        let limits = limits(settings(), false);
        let mut allowed = 0;
        for n in 0..1_000 {
            let from = format!("2001:db8:7:{n:x}::1");
            match attempt(&limits, &from, &email(n), false) {
                None => allowed += 1,
                Some(limit) => assert_eq!(limit, Limit::Site),
            }
        }
        assert_eq!(allowed, 24);
        assert_eq!(attempt(&limits, "2001:db8:8::1", &email(0), false), None);

        let posts = |n: u32| {
            let from = address(&format!("2001:db8:9:{n:x}::1"));
            rejected_by(limits.acquire_post(from, &RateLimitReport::default()))
        };
        assert_eq!((0..1_000).filter(|n| posts(*n).is_none()).count(), 32);
    }

    #[test]
    fn a_block_takes_a_quarter_of_all_attempts_at_most() {
        let service = Some(Rate { burst: 400, every: RARELY });
        let limits = limits(LimitSettings { service, ..settings() }, false);
        let mut allowed = 0;
        for n in 0..1_000 {
            match attempt(&limits, &format!("192.0.2.{}", n % 256), &email(n), false) {
                None => allowed += 1,
                Some(limit) => assert!(matches!(limit, Limit::Address | Limit::Block), "{limit:?}"),
            }
        }
        assert_eq!(allowed, 100);
        assert_eq!(attempt(&limits, "198.51.100.1", &email(0), false), None);
        assert_eq!(attempt(&limits, "192.0.2.1", &email(2_000), true), None, "with a proof");
    }

    #[test]
    fn every_form_of_an_ipv4_address_has_one_bucket() {
        let limits = limits(settings(), false);
        for (n, from) in (0..).zip(["192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1"]) {
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
            let report = RateLimitReport::default();
            assert_eq!(
                rejected_by(limits.acquire_post(address("::ffff:192.0.2.9"), &report)),
                None
            );
            assert_eq!(attempt(&limits, "192.0.2.9", &email(n), false), None);
            assert_eq!(report.quota(), None);
        }
        assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), None);
        assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), Some(Limit::Email));
    }

    /// A server that posts for its users may need all of them.
    #[test]
    fn an_exempt_network_is_no_part_of_a_block() {
        let rate = |burst| Some(Rate { burst, every: RARELY });
        let exempt = vec!["192.0.2.0/28".parse().unwrap()];
        let settings = LimitSettings { service: rate(400), exempt, ..settings() };
        let limits = limits(settings, true);
        for n in 0..400 {
            assert_eq!(attempt(&limits, "192.0.2.9", &email(n), false), None, "{n}");
        }
        let last = attempt(&limits, "192.0.2.9", &email(400), false);
        assert_eq!(last, Some(Limit::Service));
    }

    #[test]
    fn only_per_client_limits_are_reported() {
        let limits = limits(settings(), false);
        let report = RateLimitReport::default();
        let attempt = || {
            limits.acquire_attempt(
                address("192.0.2.1"),
                &email(0),
                false,
                AttemptCost::One,
                &report,
            )
        };
        assert!(limits.acquire_post(address("192.0.2.1"), &report).is_ok());
        assert_eq!(
            report.quota().map(|quota| (quota.limit, quota.remaining)),
            Some((Limit::Posts, 3))
        );
        assert!(attempt().is_ok() && attempt().is_ok());
        assert_eq!(
            report.quota().map(|quota| (quota.limit, quota.remaining)),
            Some((Limit::Address, 1))
        );
        assert_eq!(rejected_by(attempt()), Some(Limit::Email));
        assert_eq!(report.quota(), None);
    }

    #[test]
    fn shared_limits_are_charged_by_digest_and_their_rejection_is_recorded() {
        let limits = limits(settings(), true);
        let report = RateLimitReport::default();
        let charges = limits
            .acquire_attempt(address("2001:db8::1"), &email(0), false, AttemptCost::One, &report)
            .unwrap();
        let charged: Vec<_> = charges.iter().map(|charge| charge.limit).collect();
        assert_eq!(charged, [Limit::Address, Limit::Site, Limit::Email]);
        let mut buckets: Vec<_> = charges.iter().map(|charge| charge.bucket).collect();
        buckets.dedup();
        assert_eq!(buckets.len(), 3);

        let wait = Duration::from_secs(90);
        let rejection = Rejection::Limited { limit: Limit::Address, retry_after: wait };
        // A duplicate request that only waited for the attempt.
        limits.record_shared_rejection(rejection, &RateLimitReport::default());
        assert_eq!(attempt(&limits, "2001:db8::1", &email(1), false), None);
        limits.record_shared_rejection(rejection, &report);
        assert_eq!(report.quota().map(|quota| (quota.remaining, quota.next_in)), Some((0, wait)));
        assert_eq!(attempt(&limits, "2001:db8::1", &email(2), false), Some(Limit::Address));
    }

    #[test]
    fn a_limit_that_is_off_spends_nothing() {
        let off = LimitSettings {
            posts: None,
            address: None,
            email: None,
            with_proof: None,
            ..settings()
        };
        let limits = limits(off, true);
        for _ in 0..100 {
            let report = RateLimitReport::default();
            assert!(limits.acquire_post(address("192.0.2.1"), &report).is_ok());
            let charges = limits.acquire_attempt(
                address("192.0.2.1"),
                &email(0),
                false,
                AttemptCost::One,
                &report,
            );
            assert_eq!(charges, Ok(Vec::new()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_counts_twice_waits_for_two_permits_and_a_rejection_takes_none() {
        let every = Duration::from_mins(1);
        let rate = |burst| Some(Rate { burst, every });
        let limits =
            limits(LimitSettings { address: rate(4), service: rate(8), ..settings() }, true);
        let acquire = |number| {
            let (report, cost) = (RateLimitReport::default(), AttemptCost::Two);
            let from = address("192.0.2.1");
            limits.acquire_attempt(from, &email(number), false, cost, &report)
        };
        for number in 0..2 {
            let mut charges = acquire(number).unwrap();
            charges.dedup_by_key(|charge| charge.bucket);
            let bursts: Vec<_> = charges.iter().map(|charge| charge.rate.burst).collect();
            assert_eq!(bursts, [2, 1, 4], "address, e-mail address, service");
        }
        for retry_after in [2 * every, every] {
            let limited = Rejection::Limited { limit: Limit::Address, retry_after };
            assert_eq!(acquire(2).unwrap_err(), limited);
            tokio::time::advance(every).await;
        }
        acquire(2).unwrap();
        // The rejected attempts have taken nothing from what others share.
        let (report, other) = (RateLimitReport::default(), address("192.0.2.2"));
        for number in 3..6 {
            let cost = AttemptCost::One;
            limits.acquire_attempt(other, &email(number), false, cost, &report).unwrap();
        }
    }
}
