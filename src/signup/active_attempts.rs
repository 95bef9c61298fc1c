//! The attempts that this process works on.
//!
//! The reconciler leaves them out. The ledger alone does not show them: a clock that is set forward ends their
//! leases, and an attempt whose result was lost still names this process as its worker.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ledger::AttemptId;

/// The attempts, each with the number of tasks that work on it.
#[derive(Debug, Clone, Default)]
pub(super) struct ActiveAttempts(Arc<Mutex<HashMap<AttemptId, usize>>>);

impl ActiveAttempts {
    /// Adds an attempt for as long as the returned guard or a clone of it lives. Called before the ledger
    /// names this process as the worker.
    pub(super) fn add(&self, id: AttemptId) -> ActiveAttempt {
        *self.0.lock().entry(id).or_default() += 1;
        ActiveAttempt { id, attempts: self.clone() }
    }

    /// The attempts.
    pub(super) fn ids(&self) -> Vec<AttemptId> {
        self.0.lock().keys().copied().collect()
    }
}

/// Work on an attempt, until this is dropped.
#[derive(Debug)]
pub(super) struct ActiveAttempt {
    id: AttemptId,
    attempts: ActiveAttempts,
}

impl Clone for ActiveAttempt {
    fn clone(&self) -> Self {
        self.attempts.add(self.id)
    }
}

impl Drop for ActiveAttempt {
    fn drop(&mut self) {
        let mut attempts = self.attempts.0.lock();
        if let Some(tasks) = attempts.get_mut(&self.id) {
            *tasks -= 1;
            if *tasks == 0 {
                attempts.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::LedgerTime;

    #[test]
    fn an_attempt_is_active_until_the_last_task_ends() {
        let attempts = ActiveAttempts::default();
        let id = AttemptId::new(LedgerTime::from_epoch(Duration::from_secs(1)));
        let first = attempts.add(id);
        let second = first.clone();
        drop(first);
        assert_eq!(attempts.ids(), [id]);
        drop(second);
        assert_eq!(attempts.ids(), []);
    }
}
