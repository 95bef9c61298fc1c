//! The calls that wait for a permit, in the order of their [priorities](Priority). First come, first
//! served within each.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Priority;

/// A place in the queue. The first one is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The priority of the call.
    pub(super) priority: Priority,
    /// Counts the calls that joined.
    number: u64,
}

/// The waiting calls, each with the signal that wakes it: when it may be first, or when the first may go.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    waiting: BTreeMap<Place, Arc<Notify>>,
    joined: u64,
}

impl WaitQueue {
    /// The number of waiting calls.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The number of calls ahead of a newcomer of this priority.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        self.len() - self.waiting.range(Place { priority, number: u64::MAX }..).count()
    }

    /// Joins behind the calls of the same priority. Returns the place and the signal that wakes its holder.
    pub(super) fn join(&mut self, priority: Priority) -> (Place, Arc<Notify>) {
        self.joined += 1;
        let (place, woken) = (Place { priority, number: self.joined }, Arc::new(Notify::new()));
        self.waiting.insert(place, Arc::clone(&woken));
        (place, woken)
    }

    /// Leaves the queue and wakes the first of the remaining calls.
    pub(super) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
        self.wake();
    }

    /// Returns whether this place is first.
    pub(super) fn is_first(&self, place: Place) -> bool {
        self.waiting.keys().next() == Some(&place)
    }

    /// Wakes the first call.
    pub(super) fn wake(&self) {
        if let Some(woken) = self.waiting.values().next() {
            woken.notify_one();
        }
    }

    /// Wakes every call.
    pub(super) fn wake_all(&self) {
        self.waiting.values().for_each(|woken| woken.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_ahead_by_priority_then_by_arrival() {
        let mut queue = WaitQueue::default();
        let priorities = [
            Priority::Repeat,
            Priority::Lookup,
            Priority::Create,
            Priority::Check,
            Priority::Background,
        ];
        let mut order = Vec::new();
        for priority in priorities.into_iter().rev() {
            let [first, second] = [0, 1].map(|_| queue.join(priority).0);
            order.splice(0..0, [first, second]);
        }
        assert_eq!(priorities.map(|priority| queue.ahead(priority)), [2, 4, 6, 8, 10]);
        for place in order {
            assert!(queue.is_first(place), "{place:?}");
            queue.leave(place);
        }
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn leaving_from_the_middle_moves_no_other_call() {
        let mut queue = WaitQueue::default();
        let [a, b, c] = [Priority::Create; 3].map(|priority| queue.join(priority).0);
        queue.leave(b);
        queue.leave(b);
        assert!(queue.is_first(a) && queue.len() == 2);
        queue.leave(a);
        assert!(queue.is_first(c));
    }
}
