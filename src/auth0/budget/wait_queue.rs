//! The calls that wait for a permit: those that end a resolution first, then lookups of requests, then
//! creates, then lookups after conflicts, then lookups in the background. First come, first served
//! within each.

use std::collections::VecDeque;
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
    repeats: VecDeque<Waiter>,
    lookups: VecDeque<Waiter>,
    creates: VecDeque<Waiter>,
    conflicts: VecDeque<Waiter>,
    background: VecDeque<Waiter>,
    last_id: u64,
}

impl WaitQueue {
    /// The number of waiting calls.
    pub(super) fn len(&self) -> usize {
        self.queues().into_iter().map(VecDeque::len).sum()
    }

    /// The number of calls ahead of a newcomer of this priority.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        match priority {
            Priority::Repeat => self.repeats.len(),
            Priority::Lookup => self.repeats.len() + self.lookups.len(),
            Priority::Create => self.repeats.len() + self.lookups.len() + self.creates.len(),
            Priority::Conflict => self.len() - self.background.len(),
            Priority::Background | Priority::BestEffort => self.len(),
        }
    }

    /// Joins the end of a queue. Returns the ticket number and the signal that wakes its holder.
    pub(super) fn join(&mut self, priority: Priority) -> (u64, Arc<Notify>) {
        self.last_id += 1;
        let (id, woken) = (self.last_id, Arc::new(Notify::new()));
        self.queue_of(priority).push_back(Waiter { id, woken: Arc::clone(&woken) });
        (id, woken)
    }

    /// Leaves the queue and wakes the first of the remaining calls.
    pub(super) fn leave(&mut self, priority: Priority, id: u64) {
        let queue = self.queue_of(priority);
        if let Ok(index) = queue.binary_search_by_key(&id, |waiter| waiter.id) {
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
        for waiter in self.queues().into_iter().flatten() {
            waiter.woken.notify_one();
        }
    }

    fn first(&self) -> Option<&Waiter> {
        self.queues().into_iter().find_map(VecDeque::front)
    }

    /// The queues in their order.
    const fn queues(&self) -> [&VecDeque<Waiter>; 5] {
        [&self.repeats, &self.lookups, &self.creates, &self.conflicts, &self.background]
    }

    const fn queue_of(&mut self, priority: Priority) -> &mut VecDeque<Waiter> {
        match priority {
            Priority::Repeat => &mut self.repeats,
            Priority::Lookup => &mut self.lookups,
            Priority::Create => &mut self.creates,
            Priority::Conflict => &mut self.conflicts,
            Priority::Background | Priority::BestEffort => &mut self.background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_resolves_an_attempt_goes_first_and_background_lookups_last() {
        let mut queue = WaitQueue::default();
        let last = queue.join(Priority::Background).0;
        let conflict = queue.join(Priority::Conflict).0;
        let [a, b] = [Priority::Create, Priority::Create].map(|priority| queue.join(priority).0);
        let [x, y] = [Priority::Lookup, Priority::Lookup].map(|priority| queue.join(priority).0);
        let repeat = queue.join(Priority::Repeat).0;
        let priorities = [
            Priority::Repeat,
            Priority::Lookup,
            Priority::Create,
            Priority::Conflict,
            Priority::Background,
        ];
        assert_eq!(priorities.map(|priority| queue.ahead(priority)), [1, 3, 5, 6, 7]);
        let order = [
            (repeat, Priority::Repeat),
            (x, Priority::Lookup),
            (y, Priority::Lookup),
            (a, Priority::Create),
            (b, Priority::Create),
            (conflict, Priority::Conflict),
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
