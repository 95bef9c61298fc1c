//! The limits: on the posts of an address, and on the attempts of an address, of its network, for
//! an e-mail address and of all clients together.
//!
//! Each replica keeps its limits in memory. Where replicas share a database, an attempt that passes
//! here spends a second permit there, in the write that starts it ([`PermitCharge`]). A rejection
//! by the database is recorded here, so that this replica's memory stops a flood before it
//! reaches the database. `docs/limits.md` has the numbers and the reasons.

mod bucket_keys;

use std::net::IpAddr;

use ipnet::IpNet;

use self::bucket_keys::BucketKeys;
use super::active_limit::{ActiveLimit, quota};
use super::email_key::normalize_mailbox;
use super::gcra::BucketState;
use super::network::{Level, Network, any_contains};
use super::network_limiter::{BucketNames, NetworkLimiter, site_rate};
use super::rate_limit_report::RateLimitReport;
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
    posts: Option<NetworkLimiter>,
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

/// The permits of an attempt that passed the limits of this replica.
#[derive(Debug, PartialEq, Eq)]
pub struct AcquiredPermits {
    /// The charges to make in a shared database, at most one for each bucket.
    pub charges: Vec<PermitCharge>,
    /// The buckets of the permits.
    pub keys: BucketKeys,
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
        match limit {
            Limit::Address | Limit::Site | Limit::Block if is_exempt => Self::Exempt,
            _ if has_proof && limit.yields_to_proof() => Self::Lifted,
            _ => Self::Yes,
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
        let attempts = [
            active(Limit::Address, address),
            active(Limit::Site, address.map(site_rate)),
            active(Limit::Email, email),
            active(Limit::WithProof, with_proof),
            active(Limit::SiteWithProof, with_proof.map(site_rate)),
            active(Limit::Block, service.and_then(part_of_a_block)),
            active(Limit::Service, service),
        ];
        let attempts: Vec<_> = attempts.into_iter().flatten().collect();
        let on_networks = |rate: Option<Rate>, network, site, block| {
            let names = BucketNames { network, site, block: Some(block) };
            rate.map(|rate| NetworkLimiter::new(rate, max_buckets, state, names, metrics))
        };
        Self {
            posts: on_networks(posts, Limit::Posts.name(), "site_posts", "block_posts"),
            doubled_attempts: attempts.iter().map(ActiveLimit::halved).collect(),
            attempts,
            events: on_networks(events, "events", "site_events", "block_events"),
            state: state.clone(),
            exempt,
            email_key,
            key: digests.sub_key("limits v1"),
            shared,
        }
    }

    /// The limits on posts and attempts that are on, with their rates.
    pub fn rates(&self) -> impl Iterator<Item = (Limit, Rate)> {
        let posts = self.posts.iter().map(|posts| (Limit::Posts, posts.rate()));
        posts.chain(self.attempts.iter().map(|active| (active.limit, active.rate)))
    }

    /// Takes a permit for a post from this address.
    ///
    /// # Errors
    /// The time to wait, if the address, its /48 or its block has posted too often.
    pub fn acquire_post(&self, address: IpAddr, report: &RateLimitReport) -> Result<(), Rejection> {
        let Some(posts) = &self.posts else { return Ok(()) };
        if self.is_exempt(address) {
            posts.metrics().exempt();
            return Ok(());
        }
        let (limit, acquired) = (Limit::Posts, posts.try_acquire(Network::from(address)));
        // The state of a /48 or a block would reveal the activity of others.
        if let Ok(state) | Err((Level::Network, state)) = acquired {
            report.record(quota(limit, state));
        }
        match acquired {
            Ok(_) => Ok(()),
            Err((_, state)) => Err(Rejection::Limited { limit, retry_after: state.next_in }),
        }
    }

    /// Returns whether an event may be logged for a request of this address that changed nothing.
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
                && active.limiter.state(key).remaining == 0
        })
    }

    /// Takes the permits for an attempt. A valid proof lifts the limits, up to a cap for its network
    /// and e-mail address.
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
    ) -> Result<AcquiredPermits, Rejection> {
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
        Ok(AcquiredPermits { charges, keys })
    }

    /// Records that the shared limits rejected an attempt that took permits of these buckets here.
    pub fn record_shared_rejection(
        &self,
        rejection: Rejection,
        keys: &BucketKeys,
        report: &RateLimitReport,
    ) {
        let Rejection::Limited { limit, retry_after } = rejection else { return };
        for (active, key) in self.for_attempts(keys).filter(|(active, _)| active.limit == limit) {
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

    /// The keys of the buckets of an attempt.
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
        let site = network.site().map(Network::bits);
        let with_proof = |network: u128| {
            // Both parts have a fixed length.
            let both = [b"with_proof".as_slice(), &email.to_be_bytes(), &network.to_be_bytes()];
            key_of(&self.key.digest(both))
        };
        BucketKeys {
            address,
            site,
            block,
            email,
            with_proof: has_proof.then(|| with_proof(address)),
            site_with_proof: site.filter(|_| has_proof).map(with_proof),
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

/// The key of a bucket: half of a digest is enough to keep keys distinct.
fn key_of(digest: &Digest) -> u128 {
    u128::from_be_bytes(digest.as_bytes().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests;
