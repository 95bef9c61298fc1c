//! The memory that connections hold, compared with a limit.
//!
//! A connection that waits for its client, with part of a head, part of a body or an unread
//! response, can be closed to make room. One whose request is complete cannot, and ends by itself.
//! Such connections count for at most half of the limit, so that the others always have the rest.
//!
//! A complete form may wait for seconds: for Auth0, for another request, or until its response is due. Each
//! block of addresses may have half as many forms as there is still room for, and at the limit none. Requests
//! that end at once, such as those for a page, take no room from them. Requests that wait for a challenge have
//! a room of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory of all connections of a listener, in bytes.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    limit: usize,
    waiting: AtomicUsize,
    handled: AtomicUsize,
    evicted: AtomicUsize,
    /// The part of `handled` that belongs to complete forms.
    forms: AtomicUsize,
}

/// The memory of a complete form, until this is dropped.
#[derive(Debug)]
pub(super) struct FormMemory {
    budget: Arc<MemoryBudget>,
    amount: usize,
}

/// The memory that is charged for one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charge {
    /// In bytes.
    pub(super) amount: usize,
    pub(super) class: Class,
}

/// The sum that a connection's memory belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Class {
    /// It waits for its client.
    #[default]
    Waiting,
    /// A complete request is being handled.
    Handled,
    /// It was evicted, and closes as soon as its task runs.
    Evicted,
}

impl MemoryBudget {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            waiting: AtomicUsize::new(0),
            handled: AtomicUsize::new(0),
            evicted: AtomicUsize::new(0),
            forms: AtomicUsize::new(0),
        }
    }

    /// Charges a complete form.
    pub(super) fn hold_form(self: &Arc<Self>, amount: usize) -> FormMemory {
        self.forms.fetch_add(amount, Ordering::Relaxed);
        FormMemory { budget: Arc::clone(self), amount }
    }

    /// Replaces a connection's charge.
    pub(super) fn change(&self, from: Charge, to: Charge) {
        self.sum(to.class).fetch_add(to.amount, Ordering::Relaxed);
        self.sum(from.class).fetch_sub(from.amount, Ordering::Relaxed);
    }

    /// The bytes by which the limit is exceeded.
    pub(super) fn excess(&self) -> usize {
        let handled = self.handled.load(Ordering::Relaxed).min(self.limit / 2);
        self.waiting.load(Ordering::Relaxed).saturating_add(handled).saturating_sub(self.limit)
    }

    /// The number of further forms that the limit has room for, at `each` bytes.
    pub(super) fn room_for_forms(&self, each: usize) -> usize {
        self.limit.saturating_sub(self.forms.load(Ordering::Relaxed)) / each
    }

    /// Returns whether evicted connections still hold a quarter of the limit.
    pub(super) fn is_critical(&self) -> bool {
        self.evicted.load(Ordering::Relaxed) > self.limit / 4
    }

    const fn sum(&self, class: Class) -> &AtomicUsize {
        match class {
            Class::Waiting => &self.waiting,
            Class::Handled => &self.handled,
            Class::Evicted => &self.evicted,
        }
    }
}

impl Drop for FormMemory {
    fn drop(&mut self) {
        self.budget.forms.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_requests_count_for_half_of_the_limit_at_most() {
        let budget = MemoryBudget::new(100);
        let none = Charge::default();
        let handled = Charge { amount: 1_000, class: Class::Handled };
        budget.change(none, handled);
        assert_eq!(budget.excess(), 0);
        let waiting = Charge { amount: 60, class: Class::Waiting };
        budget.change(none, waiting);
        assert_eq!(budget.excess(), 10);
        budget.change(handled, none);
        assert_eq!(budget.excess(), 0);
        let evicted = Charge { class: Class::Evicted, ..waiting };
        budget.change(waiting, evicted);
        assert_eq!(budget.waiting.load(Ordering::Relaxed), 0);
        assert!(budget.is_critical());
        budget.change(evicted, none);
        assert!(!budget.is_critical());
    }

    #[test]
    fn only_forms_take_room_from_forms() {
        let budget = Arc::new(MemoryBudget::new(100));
        budget.change(Charge::default(), Charge { amount: 1_000, class: Class::Handled });
        assert_eq!(budget.room_for_forms(10), 10);
        let form = budget.hold_form(45);
        assert_eq!(budget.room_for_forms(10), 5);
        let another = budget.hold_form(60);
        assert_eq!(budget.room_for_forms(10), 0);
        drop((form, another));
        assert_eq!(budget.room_for_forms(10), 10);
    }
}
