//! The whole state of one emulator. It outlives the listeners, so that a stopped emulator can be
//! started again with its users.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::clock::TenantClock;
use crate::fault::FaultQueue;
use crate::ids::IdGenerator;
use crate::journal::{Journal, JournalEntry};
use crate::latency::LatencyRng;
use crate::locked::Locked;
use crate::logins::Logins;
use crate::rate::{PlanBuckets, RateDecision};
use crate::response::TenantResponse;
use crate::server::WireControl;
use crate::tenant::Tenant;
use crate::token::QuotaCounter;
use crate::users::UserStore;

/// The state of one emulator.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    /// The settings.
    tenant: Locked<Arc<Tenant>>,
    /// The initial settings, for a reset.
    initial: Arc<Tenant>,
    /// Its base URLs.
    bases: Vec<String>,
    /// Its clock.
    pub(crate) clock: TenantClock,
    /// Its users.
    pub(crate) users: Locked<UserStore>,
    /// Generates its ids.
    pub(crate) ids: IdGenerator,
    /// The requests it received.
    pub(crate) journal: Journal,
    /// The faults to apply to calls.
    pub(crate) faults: FaultQueue,
    /// Its rate limits.
    pub(crate) buckets: PlanBuckets,
    /// Samples its latencies.
    pub(crate) latency_rng: LatencyRng,
    /// The tokens issued, counted against the quota.
    pub(crate) quota: QuotaCounter,
    /// The ids of the assertions used so far; each is valid once.
    pub(crate) assertions: Locked<HashSet<String>>,
    /// The logins under way.
    pub(crate) logins: Locked<Logins>,
    /// The number of times all tokens were revoked. Each token names the generation it was issued
    /// in.
    generation: AtomicU64,
    /// The number of connections accepted.
    connections: AtomicU64,
    /// Breaks the connections that are open.
    wires: Locked<Vec<Weak<WireControl>>>,
}

impl EmulatorState {
    /// The state of an emulator with these settings that is reached at `bases`. Its journal keeps
    /// `journal_limit` entries, and its latencies come from `seed`.
    pub(crate) fn new(tenant: Tenant, bases: Vec<String>, journal_limit: usize, seed: u64) -> Self {
        let initial = Arc::new(tenant);
        Self {
            tenant: Locked::new(Arc::clone(&initial)),
            initial,
            bases,
            clock: TenantClock::default(),
            users: Locked::default(),
            ids: IdGenerator::new(),
            journal: Journal::new(journal_limit),
            faults: FaultQueue::default(),
            buckets: PlanBuckets::default(),
            latency_rng: LatencyRng::new(seed),
            quota: QuotaCounter::default(),
            assertions: Locked::default(),
            logins: Locked::default(),
            generation: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            wires: Locked::default(),
        }
    }

    /// The current settings.
    pub(crate) fn tenant(&self) -> Arc<Tenant> {
        self.tenant.with(|tenant| Arc::clone(tenant))
    }

    /// Changes the settings.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Tenant) -> R) -> R {
        self.tenant.with(|tenant| change(Arc::make_mut(tenant)))
    }

    /// The generation for new tokens.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Revokes every token issued so far.
    pub(crate) fn revoke_tokens(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a newly accepted connection. Returns its number.
    pub(crate) fn next_connection(&self, wire: &Arc<WireControl>) -> u64 {
        self.wires.with(|wires| {
            wires.retain(|wire| wire.strong_count() > 0);
            wires.push(Arc::downgrade(wire));
        });
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Silences every open connection. Returns their number.
    pub(crate) fn silence_connections(&self) -> usize {
        let open = self.wires.with(std::mem::take);
        open.iter().filter_map(Weak::upgrade).map(|wire| wire.silence()).count()
    }

    /// Resets everything to its initial state. Tokens are revoked rather than restored.
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
        self.logins.with(|logins| *logins = Logins::default());
        self.revoke_tokens();
    }
}

/// One request while the tenant handles it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The emulator's state.
    pub(crate) state: &'a EmulatorState,
    /// The settings at the time of the request.
    pub(crate) tenant: Arc<Tenant>,
    /// The request.
    pub(crate) entry: &'a JournalEntry,
    /// The base URL of the request, without a trailing slash.
    pub(crate) base: &'a str,
    /// The rate limit's decision on arrival; `None` if the operation has no limit.
    pub(crate) decision: Option<RateDecision>,
}

impl Call<'_> {
    /// The rate limit's decision, if the call exceeds the limit.
    pub(crate) fn rate_rejection(&self) -> Option<RateDecision> {
        self.decision.filter(|decision| !decision.allowed)
    }

    /// Adds the rate-limit headers to the response.
    pub(crate) fn with_rate_headers(&self, mut response: TenantResponse) -> TenantResponse {
        if let Some(decision) = self.decision
            && self.tenant.rate_limit_headers
        {
            decision.write_to(&mut response.headers);
        }
        response
    }

    /// Returns whether `audience` is this tenant's Management API.
    pub(crate) fn is_management_audience(&self, audience: &str) -> bool {
        let Some(base) = audience.strip_suffix("/api/v2/") else {
            return self.tenant.audience.as_deref() == Some(audience);
        };
        // The identifier has the tenant's own host, whatever host the call came to.
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        if self.tenant.custom_domains.iter().any(|domain| domain == host) {
            return false;
        }
        match &self.tenant.audience {
            Some(own) => own == audience,
            None => base == self.base || self.state.bases.iter().any(|own| own == base),
        }
    }
}
