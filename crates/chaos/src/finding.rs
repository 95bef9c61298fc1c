//! The inconsistencies found at the end of a run, in four counts that must all be 0.

/// The kind of an inconsistency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingKind {
    /// One sign-up created two users, or reported two.
    Duplicate,
    /// A user that was reported does not exist, or the ledger contradicts the tenant.
    Lost,
    /// The outcome is unknown, or a response makes no sense.
    Unknown,
    /// A response contradicts the tenant.
    Incorrect,
}

/// One inconsistency.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Its kind.
    pub(crate) kind: FindingKind,
    /// The index of the person affected, if known.
    pub(crate) person: Option<usize>,
    /// The description.
    pub(crate) description: String,
}

/// Every inconsistency.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// In the order found.
    pub(crate) all: Vec<Finding>,
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
