//! The inconsistencies found at the end of a run, in three counts that must all be 0.

/// The kind of an inconsistency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingKind {
    /// One sign-up created two users, or reported two.
    Duplicate,
    /// A user, a row of the ledger and a response contradict each other.
    Lost,
    /// The outcome is unknown, or a response makes no sense.
    Unknown,
}

/// One inconsistency.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Its kind.
    pub(crate) kind: FindingKind,
    /// The person affected, if known.
    pub(crate) person: Option<usize>,
    /// The description.
    pub(crate) description: String,
}

/// Every inconsistency.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// In the order found.
    pub(crate) all: Vec<Finding>,
    /// Clients without a key that got `email_taken` for their own user after a kill or from another
    /// replica. The link between their requests is in one process's memory, as documented.
    pub(crate) unlinked: usize,
}

impl Findings {
    /// Adds an inconsistency.
    pub(crate) fn add(
        &mut self,
        kind: FindingKind,
        person: Option<usize>,
        description: impl Into<String>,
    ) {
        self.all.push(Finding { kind, person, description: description.into() });
    }

    /// The number of inconsistencies of a kind.
    pub(crate) fn count(&self, kind: FindingKind) -> usize {
        self.all.iter().filter(|finding| finding.kind == kind).count()
    }
}
