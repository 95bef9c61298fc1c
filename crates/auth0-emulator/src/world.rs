//! Everything one emulator knows. It outlives the listeners, so that a stopped emulator can be
//! started again with its users.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Answer;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::guarded::Guarded;
use crate::ids::Ids;
use crate::journal::{Entry, Journal};
use crate::latency::Dice;
use crate::rate::{Buckets, Verdict};
use crate::tenant::Tenant;
use crate::token::QuotaCounter;
use crate::users::Users;

/// The state of one emulator.
#[derive(Debug)]
pub(crate) struct World {
    /// The settings.
    tenant: Guarded<Arc<Tenant>>,
    /// The settings it started with.
    initial: Arc<Tenant>,
    /// Its addresses, known once it listens; the first is the canonical one.
    pub(crate) bases: OnceLock<Vec<String>>,
    /// Its clock.
    pub(crate) clock: Clock,
    /// Its users.
    pub(crate) users: Guarded<Users>,
    /// Makes its ids.
    pub(crate) ids: Ids,
    /// What it was asked.
    pub(crate) journal: Journal,
    /// What is to go wrong.
    pub(crate) faults: Faults,
    /// Its rate limits.
    pub(crate) buckets: Buckets,
    /// Its latencies.
    pub(crate) dice: Dice,
    /// How many tokens were drawn.
    pub(crate) quota: QuotaCounter,
    /// The ids of the assertions it has seen; each is good once.
    pub(crate) assertions: Guarded<HashSet<String>>,
    /// How often all tokens have been revoked. A token names the number it was issued under.
    generation: AtomicU64,
    /// How many connections it has accepted.
    connections: AtomicU64,
}

impl World {
    /// A world with these settings, a journal of so many entries, and latencies from that seed.
    pub(crate) fn new(tenant: Tenant, journal_limit: usize, seed: u64) -> Self {
        let initial = Arc::new(tenant);
        Self {
            tenant: Guarded::new(Arc::clone(&initial)),
            initial,
            bases: OnceLock::new(),
            clock: Clock::default(),
            users: Guarded::new(Users::default()),
            ids: Ids::new(),
            journal: Journal::new(journal_limit),
            faults: Faults::new(),
            buckets: Buckets::default(),
            dice: Dice::new(seed),
            quota: QuotaCounter::default(),
            assertions: Guarded::new(HashSet::new()),
            generation: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// The present settings.
    pub(crate) fn tenant(&self) -> Arc<Tenant> {
        self.tenant.with(|tenant| Arc::clone(tenant))
    }

    /// Changes the settings.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Tenant) -> R) -> R {
        self.tenant.with(|tenant| change(Arc::make_mut(tenant)))
    }

    /// The number that tokens of now are issued under.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Makes every token issued so far useless.
    pub(crate) fn revoke_tokens(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of the connection that has just been accepted.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts everything back to what it was at the start, but for the tokens, which are revoked.
    pub(crate) fn reset(&self) {
        let initial = Arc::clone(&self.initial);
        self.tenant.with(|tenant| *tenant = initial);
        self.clock.reset();
        self.users.with(|users| *users = Users::default());
        self.journal.clear();
        self.faults.clear();
        self.buckets.reset();
        self.quota.reset();
        self.assertions.with(HashSet::clear);
        self.revoke_tokens();
    }
}

/// One request on its way through the tenant.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The emulator.
    pub(crate) world: &'a World,
    /// The settings when it came.
    pub(crate) tenant: Arc<Tenant>,
    /// The request.
    pub(crate) entry: &'a Entry,
    /// The address that was asked, without a slash at the end.
    pub(crate) base: &'a str,
    /// What the rate limit said when the call arrived; `None` where nothing was asked then.
    pub(crate) verdict: Option<Verdict>,
}

impl Call<'_> {
    /// The permit of the rate limit that was taken on arrival, or one that is taken now.
    pub(crate) fn permit(&self) -> Verdict {
        self.verdict.unwrap_or_else(|| self.take_permit())
    }

    /// Takes a permit of the rate limit.
    pub(crate) fn take_permit(&self) -> Verdict {
        let now = self.world.clock.unix_seconds_f64();
        self.world.buckets.take(self.tenant.plan, self.entry.route(), now)
    }

    /// The answer with the headers of the rate limit.
    pub(crate) fn counted(&self, mut answer: Answer, verdict: Verdict) -> Answer {
        if self.tenant.rate_limit_headers {
            verdict.put(&mut answer.headers);
        }
        answer
    }

    /// Whether `audience` is the Management API of this tenant.
    pub(crate) fn is_management_audience(&self, audience: &str) -> bool {
        let Some(base) = audience.strip_suffix("/api/v2/") else {
            return self.tenant.audience.as_deref() == Some(audience);
        };
        match &self.tenant.audience {
            Some(own) => own == audience,
            None => {
                base == self.base
                    || self.world.bases.get().is_some_and(|own| own.iter().any(|b| b == base))
            }
        }
    }
}
