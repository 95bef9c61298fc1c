//! The calls that wait for a permit, in the order of their [priorities](Priority). First come, first
//! served within each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::Priority;

/// One waiting call.
#[derive(Debug)]
struct Waiter {
    /// Its ticket number; later ones are greater.
    id: u64,
    /// Notified when this call may be first, or when the first may go.
    woken: Arc<Notify>,
}

/// The queues, one per priority.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    queues: BTreeMap<Priority, VecDeque<Waiter>>,
    last_id: u64,
}

impl WaitQueue {
    /// The number of waiting calls.
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    /// The number of calls ahead of a newcomer of this priority.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        self.queues.range(..=priority).map(|(_, queue)| queue.len()).sum()
    }

    /// Joins the end of a queue. Returns the ticket number and the signal that wakes its holder.
    pub(super) fn join(&mut self, priority: Priority) -> (u64, Arc<Notify>) {
        self.last_id += 1;
        let (id, woken) = (self.last_id, Arc::new(Notify::new()));
        let waiter = Waiter { id, woken: Arc::clone(&woken) };
        self.queues.entry(priority).or_default().push_back(waiter);
        (id, woken)
    }

    /// Leaves the queue and wakes the first of the remaining calls.
    pub(super) fn leave(&mut self, priority: Priority, id: u64) {
        if let Some(queue) = self.queues.get_mut(&priority)
            && let Ok(index) = queue.binary_search_by_key(&id, |waiter| waiter.id)
        {
            queue.remove(index);
        }
        self.wake();
    }

    /// Returns whether this ticket is first.
    pub(super) fn is_first(&self, id: u64) -> bool {
        self.first().is_some_and(|waiter| waiter.id == id)
    }

    /// Wakes the first call.
    pub(super) fn wake(&self) {
        if let Some(waiter) = self.first() {
            waiter.woken.notify_one();
        }
    }

    /// Wakes every call.
    pub(super) fn wake_all(&self) {
        for waiter in self.queues.values().flatten() {
            waiter.woken.notify_one();
        }
    }

    fn first(&self) -> Option<&Waiter> {
        self.queues.values().find_map(VecDeque::front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_resolves_an_attempt_goes_first_and_background_lookups_last() {
        let mut queue = WaitQueue::default();
        let last = queue.join(Priority::Background).0;
        let conflict = queue.join(Priority::Check).0;
        let [a, b] = [Priority::Create, Priority::Create].map(|priority| queue.join(priority).0);
        let [x, y] = [Priority::Lookup, Priority::Lookup].map(|priority| queue.join(priority).0);
        let repeat = queue.join(Priority::Repeat).0;
        let priorities = [
            Priority::Repeat,
            Priority::Lookup,
            Priority::Create,
            Priority::Check,
            Priority::Background,
        ];
        assert_eq!(priorities.map(|priority| queue.ahead(priority)), [1, 3, 5, 6, 7]);
        let order = [
            (repeat, Priority::Repeat),
            (x, Priority::Lookup),
            (y, Priority::Lookup),
            (a, Priority::Create),
            (b, Priority::Create),
            (conflict, Priority::Check),
            (last, Priority::Background),
        ];
        for (id, priority) in order {
            assert!(queue.is_first(id));
            queue.leave(priority, id);
        }
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn leaving_from_the_middle_moves_no_other_call() {
        let mut queue = WaitQueue::default();
        let [a, b, c] = [Priority::Create; 3].map(|priority| queue.join(priority).0);
        queue.leave(Priority::Create, b);
        queue.leave(Priority::Create, b);
        assert!(queue.is_first(a) && queue.len() == 2);
        queue.leave(Priority::Create, a);
        assert!(queue.is_first(c));
    }
}
