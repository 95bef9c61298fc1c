//! The faults that wait for their calls.

use super::Fault;
use crate::guarded::Guarded;
use crate::route::Route;

/// The faults of one emulator, oldest first.
#[derive(Debug)]
pub(crate) struct Faults(Guarded<Vec<(Route, Fault)>>);

impl Faults {
    /// No faults.
    pub(crate) fn new() -> Self {
        Self(Guarded::new(Vec::new()))
    }

    /// Adds a fault after those there are.
    pub(crate) fn add(&self, route: Route, fault: Fault) {
        self.0.with(|faults| faults.push((route, fault)));
    }

    /// The fault for a call on `route`: the oldest that covers it and has a call left.
    pub(crate) fn take(&self, route: Route) -> Option<Fault> {
        self.0.with(|faults| {
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
        self.0.with(|faults| faults.len())
    }

    /// Forgets every fault.
    pub(crate) fn clear(&self) {
        self.0.with(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_as_often_as_they_say() {
        let faults = Faults::new();
        faults.add(Route::CreateUser, Fault::hang().times(2));
        faults.add(Route::CreateUser, Fault::close());
        faults.add(Route::Token, Fault::reset().always());
        let replies: Vec<_> =
            (0..4).map(|_| faults.take(Route::CreateUser).map(|fault| fault.reply)).collect();
        let [hang, close] = [Fault::hang(), Fault::close()].map(|fault| Some(fault.reply));
        assert_eq!(replies, [hang.clone(), hang, close, None]);
        for _ in 0..5 {
            assert!(faults.take(Route::Token).is_some());
        }
        faults.clear();
        assert!(faults.take(Route::Token).is_none());
    }

    #[test]
    fn no_times_is_no_fault() {
        let faults = Faults::new();
        faults.add(Route::Any, Fault::hang().times(0));
        assert!(faults.take(Route::Token).is_none());
    }
}
