//! Who waits for a permit, in order: the look-ups of requests, creates, then the
//! look-ups that nobody waits for; first come first served in each.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Priority;

/// One who waits.
#[derive(Debug)]
struct Waiter {
    /// Its number; later ones are greater.
    id: u64,
    /// Told when it may have come to the front, or when the front may go.
    woken: Arc<Notify>,
}

/// The lines.
#[derive(Debug, Default)]
pub(super) struct Line {
    lookups: VecDeque<Waiter>,
    creates: VecDeque<Waiter>,
    background: VecDeque<Waiter>,
    last_id: u64,
}

impl Line {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lookups.len() + self.creates.len() + self.background.len()
    }

    /// How many are before a newcomer of this class.
    pub(super) fn ahead(&self, class: Priority) -> usize {
        match class {
            Priority::Lookup => self.lookups.len(),
            Priority::Create => self.lookups.len() + self.creates.len(),
            Priority::Background | Priority::BestEffort => self.len(),
        }
    }

    /// Takes a place at the end.
    pub(super) fn join(&mut self, class: Priority) -> (u64, Arc<Notify>) {
        self.last_id += 1;
        let (id, woken) = (self.last_id, Arc::new(Notify::new()));
        self.of(class).push_back(Waiter { id, woken: Arc::clone(&woken) });
        (id, woken)
    }

    /// Gives the place up and wakes whoever is at the front then.
    pub(super) fn leave(&mut self, class: Priority, id: u64) {
        let line = self.of(class);
        if let Ok(place) = line.binary_search_by_key(&id, |waiter| waiter.id) {
            line.remove(place);
        }
        self.wake();
    }

    /// Whether this one is at the front.
    pub(super) fn is_first(&self, id: u64) -> bool {
        self.first().is_some_and(|waiter| waiter.id == id)
    }

    /// Wakes the front.
    pub(super) fn wake(&self) {
        if let Some(waiter) = self.first() {
            waiter.woken.notify_one();
        }
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        for waiter in self.lookups.iter().chain(&self.creates).chain(&self.background) {
            waiter.woken.notify_one();
        }
    }

    fn first(&self) -> Option<&Waiter> {
        let creates = || self.creates.front();
        self.lookups.front().or_else(creates).or_else(|| self.background.front())
    }

    const fn of(&mut self, class: Priority) -> &mut VecDeque<Waiter> {
        match class {
            Priority::Lookup => &mut self.lookups,
            Priority::Create => &mut self.creates,
            Priority::Background | Priority::BestEffort => &mut self.background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_of_requests_go_first_those_of_the_background_last() {
        let mut line = Line::default();
        let last = line.join(Priority::Background).0;
        let [a, b] = [Priority::Create, Priority::Create].map(|class| line.join(class).0);
        let [x, y] = [Priority::Lookup, Priority::Lookup].map(|class| line.join(class).0);
        let classes = [Priority::Lookup, Priority::Create, Priority::Background];
        assert_eq!(classes.map(|class| line.ahead(class)), [2, 4, 5]);
        let order = [
            (x, Priority::Lookup),
            (y, Priority::Lookup),
            (a, Priority::Create),
            (b, Priority::Create),
            (last, Priority::Background),
        ];
        for (id, class) in order {
            assert!(line.is_first(id));
            line.leave(class, id);
        }
        assert_eq!(line.len(), 0);
    }

    #[test]
    fn one_that_leaves_from_the_middle_moves_nobody_else() {
        let mut line = Line::default();
        let [a, b, c] = [Priority::Create; 3].map(|class| line.join(class).0);
        line.leave(Priority::Create, b);
        line.leave(Priority::Create, b);
        assert!(line.is_first(a) && line.len() == 2);
        line.leave(Priority::Create, a);
        assert!(line.is_first(c));
    }
}
