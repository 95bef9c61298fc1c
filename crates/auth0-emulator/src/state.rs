//! Everything one emulator knows. It outlives the listeners, so that a stopped emulator can be
//! started again with its users.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::TenantClock;
use crate::fault::FaultQueue;
use crate::ids::IdGenerator;
use crate::journal::{Journal, JournalEntry};
use crate::latency::LatencyRng;
use crate::locked::Locked;
use crate::rate::{PlanBuckets, RateDecision};
use crate::response::TenantResponse;
use crate::tenant::Tenant;
use crate::token::QuotaCounter;
use crate::users::UserStore;

/// The state of one emulator.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    /// The settings.
    tenant: Locked<Arc<Tenant>>,
    /// The settings it started with.
    initial: Arc<Tenant>,
    /// Its addresses, known once it listens; the first is the canonical one.
    pub(crate) bases: OnceLock<Vec<String>>,
    /// Its clock.
    pub(crate) clock: TenantClock,
    /// Its users.
    pub(crate) users: Locked<UserStore>,
    /// Makes its ids.
    pub(crate) ids: IdGenerator,
    /// What it was asked.
    pub(crate) journal: Journal,
    /// What is to go wrong.
    pub(crate) faults: FaultQueue,
    /// Its rate limits.
    pub(crate) buckets: PlanBuckets,
    /// Its latencies.
    pub(crate) latency_rng: LatencyRng,
    /// How many tokens were drawn.
    pub(crate) quota: QuotaCounter,
    /// The ids of the assertions it has seen; each is good once.
    pub(crate) assertions: Locked<HashSet<String>>,
    /// How often all tokens have been revoked. A token names the number it was issued under.
    generation: AtomicU64,
    /// How many connections it has accepted.
    connections: AtomicU64,
}

impl EmulatorState {
    /// A world with these settings, a journal of so many entries, and latencies from that seed.
    pub(crate) fn new(tenant: Tenant, journal_limit: usize, seed: u64) -> Self {
        let initial = Arc::new(tenant);
        Self {
            tenant: Locked::new(Arc::clone(&initial)),
            initial,
            bases: OnceLock::new(),
            clock: TenantClock::default(),
            users: Locked::new(UserStore::default()),
            ids: IdGenerator::new(),
            journal: Journal::new(journal_limit),
            faults: FaultQueue::new(),
            buckets: PlanBuckets::default(),
            latency_rng: LatencyRng::new(seed),
            quota: QuotaCounter::default(),
            assertions: Locked::new(HashSet::new()),
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
        self.users.with(|users| *users = UserStore::default());
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
    pub(crate) state: &'a EmulatorState,
    /// The settings when it came.
    pub(crate) tenant: Arc<Tenant>,
    /// The request.
    pub(crate) entry: &'a JournalEntry,
    /// The address that was asked, without a slash at the end.
    pub(crate) base: &'a str,
    /// What the rate limit said when the call arrived; `None` where nothing was asked then.
    pub(crate) decision: Option<RateDecision>,
}

impl Call<'_> {
    /// The permit of the rate limit that was taken on arrival, or one that is taken now.
    pub(crate) fn permit(&self) -> RateDecision {
        self.decision.unwrap_or_else(|| self.take_permit())
    }

    /// Takes a permit of the rate limit.
    pub(crate) fn take_permit(&self) -> RateDecision {
        let now = self.state.clock.unix_seconds_f64();
        self.state.buckets.take(self.tenant.plan, self.entry.route(), now)
    }

    /// The answer with the headers of the rate limit.
    pub(crate) fn with_rate_headers(
        &self,
        mut response: TenantResponse,
        decision: RateDecision,
    ) -> TenantResponse {
        if self.tenant.rate_limit_headers {
            decision.write_to(&mut response.headers);
        }
        response
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
                    || self.state.bases.get().is_some_and(|own| own.iter().any(|b| b == base))
            }
        }
    }
}
