//! The queued faults, and the function that chooses a fault if none is queued for a call.

use std::sync::Arc;

use super::Fault;
use crate::journal::JournalEntry;
use crate::locked::Locked;
use crate::route::Route;

/// Chooses the fault for a call, if any.
type FaultChooser = Arc<dyn Fn(&JournalEntry) -> Option<Fault> + Send + Sync>;

/// The faults of one emulator.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    /// The queued faults, oldest first.
    waiting: Locked<Vec<(Route, Fault)>>,
    /// Called if no queued fault matches.
    choose: Locked<Option<FaultChooser>>,
}

impl FaultQueue {
    /// Appends a fault, unless it applies to no call.
    pub(crate) fn add(&self, route: Route, fault: Fault) {
        if fault.times != Some(0) {
            self.waiting.with(|faults| faults.push((route, fault)));
        }
    }

    /// Sets the function that chooses a fault for calls that no queued fault matches.
    pub(crate) fn set_chooser(&self, choose: FaultChooser) {
        self.choose.with(|chooser| *chooser = Some(choose));
    }

    /// The fault for a call: a queued one, or else a chosen one.
    pub(crate) fn fault_for(&self, call: &JournalEntry) -> Option<Fault> {
        self.take(call.route()).or_else(|| {
            let choose = self.choose.with(|choose| choose.clone())?;
            choose(call)
        })
    }

    /// Takes the oldest queued fault that covers `route`.
    fn take(&self, route: Route) -> Option<Fault> {
        self.waiting.with(|faults| {
            let index = faults.iter().position(|(on, _)| on.covers(route))?;
            let fault = &mut faults.get_mut(index)?.1;
            fault.times = fault.times.map(|left| left - 1);
            let taken = fault.clone();
            if taken.times == Some(0) {
                faults.remove(index);
            }
            Some(taken)
        })
    }

    /// The number of queued faults.
    pub(crate) fn len(&self) -> usize {
        self.waiting.with(|faults| faults.len())
    }

    /// Removes every queued fault and the function that chooses faults.
    pub(crate) fn clear(&self) {
        self.waiting.with(Vec::clear);
        self.choose.with(|choose| *choose = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_apply_in_order_and_as_many_times_as_set() {
        let faults = FaultQueue::default();
        faults.add(Route::CreateUser, Fault::hang().times(2));
        faults.add(Route::CreateUser, Fault::close());
        faults.add(Route::Token, Fault::reset().always());
        let effects: Vec<_> =
            (0..4).map(|_| faults.take(Route::CreateUser).map(|fault| fault.effect)).collect();
        let [hang, close] = [Fault::hang(), Fault::close()].map(|fault| Some(fault.effect));
        assert_eq!(effects, [hang.clone(), hang, close, None]);
        for _ in 0..5 {
            assert!(faults.take(Route::Token).is_some());
        }
        faults.clear();
        assert!(faults.take(Route::Token).is_none());
    }

    #[test]
    fn a_fault_with_zero_times_never_applies() {
        let faults = FaultQueue::default();
        faults.add(Route::Any, Fault::hang().times(0));
        assert_eq!(faults.len(), 0);
    }
}
