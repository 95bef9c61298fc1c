//! What is wrong at the end, by the three numbers that have to be 0.

/// Which number counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingKind {
    /// One sign-up made two users, or was told so.
    Duplicate,
    /// A user, a row of the ledger and an answer do not agree.
    Lost,
    /// Nobody knows what came of it, or an answer makes no sense.
    Unknown,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Which number counts it.
    pub(crate) count: FindingKind,
    /// Whom it befell; none when that cannot be told.
    pub(crate) person: Option<usize>,
    /// What it is.
    pub(crate) what: String,
}

/// Everything that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// In the order in which it was found.
    pub(crate) all: Vec<Finding>,
    /// Clients without a key that were not told of their own user after a kill, or by another
    /// replica: what ties their requests together is in one process's memory, as documented.
    pub(crate) unlinked: usize,
}

impl Findings {
    /// Notes one.
    pub(crate) fn note(
        &mut self,
        count: FindingKind,
        person: Option<usize>,
        what: impl Into<String>,
    ) {
        self.all.push(Finding { count, person, what: what.into() });
    }

    /// One of the three numbers.
    pub(crate) fn count(&self, count: FindingKind) -> usize {
        self.all.iter().filter(|finding| finding.count == count).count()
    }
}
