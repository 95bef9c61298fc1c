//! Injects seeded faults into the tenant's calls, and records which call got which fault.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auth0_emulator::{Emulator, Fault, JournalEntry, Route};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use super::fault_catalog::{self, FaultSpec};

/// The range of pauses between two revocations of all tokens.
const REVOKE_PAUSE: std::ops::Range<Duration> = Duration::from_millis(500)..Duration::from_secs(4);

/// Injects faults. Clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct FaultInjector(Arc<Mutex<InjectorState>>);

#[derive(Debug)]
struct InjectorState {
    rng: StdRng,
    percent: u8,
    catalogs: HashMap<Route, Vec<FaultSpec>>,
    injected: BTreeMap<&'static str, u64>,
    /// By a call's time and connection, which together are unique.
    by_call: HashMap<(SystemTime, u64), &'static str>,
}

impl FaultInjector {
    /// An injector that affects `percent` of the calls.
    pub(crate) fn new(seed: u64, percent: u8) -> Self {
        let routes = [Route::Token, Route::CreateUser, Route::GetUser, Route::UsersByEmail];
        Self(Arc::new(Mutex::new(InjectorState {
            rng: StdRng::seed_from_u64(seed),
            percent,
            catalogs: routes
                .into_iter()
                .map(|route| (route, fault_catalog::for_route(route)))
                .collect(),
            injected: BTreeMap::new(),
            by_call: HashMap::new(),
        })))
    }

    /// Injects faults into this tenant's calls until its faults are cleared.
    pub(crate) fn inject_into(&self, auth0: &Emulator) {
        let injector = self.clone();
        auth0.choose_faults(move |call| injector.0.lock().next_fault(call));
    }

    /// Revokes all tokens at random intervals. Runs until it is dropped.
    pub(crate) async fn revoke_tokens(&self, auth0: &Emulator) {
        loop {
            let wait = self.0.lock().rng.random_range(REVOKE_PAUSE);
            sleep(wait).await;
            auth0.revoke_tokens();
            *self.0.lock().injected.entry("tokens revoked").or_default() += 1;
        }
    }

    /// The number of injected faults of each kind.
    pub(crate) fn injected(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().injected.clone()
    }

    /// The fault that was injected into a call.
    pub(crate) fn fault_for(&self, call: &JournalEntry) -> Option<&'static str> {
        self.0.lock().by_call.get(&(call.at, call.connection)).copied()
    }
}

impl InjectorState {
    fn next_fault(&mut self, call: &JournalEntry) -> Option<Fault> {
        if self.rng.random_range(0..100) >= self.percent {
            return None;
        }
        let &(name, make) = self.catalogs.get(&call.route())?.choose(&mut self.rng)?;
        *self.injected.entry(name).or_default() += 1;
        self.by_call.insert((call.at, call.connection), name);
        Some(make(&mut self.rng))
    }
}
