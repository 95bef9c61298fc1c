//! The inconsistencies found at the end of a run. All counts must be 0 but that of confused forms.

/// The kind of an inconsistency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FindingKind {
    /// One sign-up created two users, or reported two.
    Duplicate,
    /// A user that was reported does not exist, or the ledger contradicts the tenant.
    Lost,
    /// The outcome is unknown, or a response makes no sense.
    Unknown,
    /// A response contradicts the tenant.
    Incorrect,
    /// A form without a key got the user of another one, whose row was lost: the ids of such forms differ by
    /// 8 bits of the password only, so one pair in 256 has the same.
    Confused,
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
    /// Set if the client that got the response sent no idempotency key.
    pub(crate) without_key: bool,
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
        let description = description.into();
        self.all.push(Finding { kind, person, description, without_key: false });
    }

    /// Adds what is wrong about a response or about a client's last one.
    pub(crate) fn add_response(
        &mut self,
        person: usize,
        without_key: bool,
        (kind, description): (FindingKind, String),
    ) {
        self.all.push(Finding { kind, person: Some(person), description, without_key });
    }

    /// The number of incorrect responses to clients without a key.
    pub(crate) fn incorrect_without_key(&self) -> usize {
        let incorrect = self.all.iter().filter(|finding| finding.kind == FindingKind::Incorrect);
        incorrect.filter(|finding| finding.without_key).count()
    }

    /// The number of inconsistencies of a kind.
    pub(crate) fn count(&self, kind: FindingKind) -> usize {
        self.all.iter().filter(|finding| finding.kind == kind).count()
    }
}
