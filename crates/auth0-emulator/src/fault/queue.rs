//! The faults that wait for their calls, and who chooses one for a call that none waits for.

use std::sync::Arc;

use super::Fault;
use crate::journal::JournalEntry;
use crate::locked::Locked;
use crate::route::Route;

/// Decides what goes wrong with a call.
type FaultChooser = Arc<dyn Fn(&JournalEntry) -> Option<Fault> + Send + Sync>;

/// The faults of one emulator.
#[derive(Debug)]
pub(crate) struct FaultQueue {
    /// Those that wait, oldest first.
    waiting: Locked<Vec<(Route, Fault)>>,
    /// Asked when none waits.
    choose: Locked<Option<FaultChooser>>,
}

impl FaultQueue {
    /// No faults.
    pub(crate) fn new() -> Self {
        Self { waiting: Locked::new(Vec::new()), choose: Locked::new(None) }
    }

    /// Adds a fault after those there are.
    pub(crate) fn add(&self, route: Route, fault: Fault) {
        self.waiting.with(|faults| faults.push((route, fault)));
    }

    /// Lets calls that no fault waits for go wrong as `choose` says.
    pub(crate) fn set_chooser(&self, choose: FaultChooser) {
        self.choose.with(|chooser| *chooser = Some(choose));
    }

    /// The fault for a call: one that waits, else one that is chosen for it.
    pub(crate) fn fault_for(&self, call: &JournalEntry) -> Option<Fault> {
        self.take(call.route()).or_else(|| {
            let choose = self.choose.with(|choose| choose.clone())?;
            choose(call)
        })
    }

    /// The fault for a call on `route`: the oldest that covers it and has a call left.
    fn take(&self, route: Route) -> Option<Fault> {
        self.waiting.with(|faults| {
            let index =
                faults.iter().position(|(on, fault)| on.covers(route) && fault.times != Some(0))?;
            let fault = &mut faults.get_mut(index)?.1;
            fault.times = fault.times.map(|left| left - 1);
            let taken = fault.clone();
            if taken.times == Some(0) {
                faults.remove(index);
            }
            Some(taken)
        })
    }

    /// How many faults wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.with(|faults| faults.len())
    }

    /// Forgets every fault, and who chooses.
    pub(crate) fn clear(&self) {
        self.waiting.with(Vec::clear);
        self.choose.with(|choose| *choose = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_as_often_as_they_say() {
        let faults = FaultQueue::new();
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
    fn no_times_is_no_fault() {
        let faults = FaultQueue::new();
        faults.add(Route::Any, Fault::hang().times(0));
        assert!(faults.take(Route::Token).is_none());
    }
}
