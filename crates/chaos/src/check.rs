//! Compares the tenant's users, the ledger's rows and every client's observations.

use std::collections::{HashMap, HashSet};

use auth0_emulator::Emulator;
use auth0_signup::digest::{Digest, Digests};
use auth0_signup::ledger::{Attempt, AttemptState};
use serde_json::Value;

use super::client::{ClientHistory, Observed};
use super::finding::{FindingKind, Findings};
use super::people::{ClientBehavior, Person};

/// The tenant's users, indexed by e-mail and id.
#[derive(Debug, Default)]
struct UserIndex {
    by_email: HashMap<String, Vec<String>>,
    ids: HashSet<String>,
}

impl UserIndex {
    fn new(auth0: &Emulator) -> Self {
        let mut users = Self::default();
        for user in auth0.users() {
            let text = |name| user.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            users.by_email.entry(text("email")).or_default().push(text("user_id"));
            users.ids.insert(text("user_id"));
        }
        users
    }

    fn of_email(&self, email: &str) -> &[String] {
        self.by_email.get(email).map_or(&[], Vec::as_slice)
    }
}

/// Returns every inconsistency found.
///
/// `single_process`: with one replica, requests without a key stay linked until a kill.
pub(crate) fn check(
    auth0: &Emulator,
    histories: &[(Person, Vec<ClientHistory>)],
    rows: &[Attempt],
    digests: &Digests,
    single_process: bool,
) -> Findings {
    let users = UserIndex::new(auth0);
    let mut findings = Findings::default();
    for (index, (person, histories)) in histories.iter().enumerate() {
        let ids = users.of_email(&person.email);
        if ids.len() > 1 {
            findings.add(FindingKind::Duplicate, Some(index), format!("{} users", ids.len()));
        }
        for client in histories {
            let owns_user = auth0.has_password(&person.email, &client.plan.password);
            let check = ClientCheck { client, histories, ids, owns_user, single_process };
            check.check(index, &mut findings);
        }
    }
    check_ledger(&users, histories, rows, digests, &mut findings);
    findings
}

/// One client's history, with the facts to check it against.
struct ClientCheck<'a> {
    client: &'a ClientHistory,
    /// The histories of all clients of the person.
    histories: &'a [ClientHistory],
    /// The ids of the users with the person's address.
    ids: &'a [String],
    /// Set if the user with the address has the client's password.
    owns_user: bool,
    single_process: bool,
}

impl ClientCheck<'_> {
    fn check(&self, person: usize, findings: &mut Findings) {
        let mut add = |kind, description: String| findings.add(kind, Some(person), description);
        let created: HashSet<_> = self.reported_ids().collect();
        if created.len() > 1 {
            add(FindingKind::Duplicate, format!("the client got two users: {created:?}"));
        }
        for id in &created {
            if !self.ids.iter().any(|existing| existing == id) {
                add(
                    FindingKind::Lost,
                    format!("the client got 201 for {id}, but no such user exists"),
                );
            } else if !self.owns_user {
                add(
                    FindingKind::Lost,
                    format!("the client got 201 for {id}, which is another client's user"),
                );
            }
        }
        match self.client.last() {
            Some(Observed::EmailTaken) if self.ids.is_empty() => {
                add(
                    FindingKind::Lost,
                    "the client got email_taken, but no user has the address".to_owned(),
                );
            }
            Some(Observed::EmailTaken) if self.owns_user && self.may_be_unlinked() => {
                findings.unlinked += 1;
            }
            Some(Observed::EmailTaken) if self.owns_user => {
                add(FindingKind::Lost, "the client got email_taken for its own user".to_owned());
            }
            Some(Observed::Created(_) | Observed::EmailTaken) => {}
            Some(Observed::NotCreated(code))
                if self.client.plan.behavior == ClientBehavior::AcceptsFailure =>
            {
                if self.owns_user && self.may_be_unlinked() {
                    // Correct for its last attempt; an earlier attempt created the user.
                    findings.unlinked += 1;
                } else if self.owns_user && !self.duplicate_created_it() {
                    add(FindingKind::Lost, format!("the client got {code}, but the user exists"));
                }
            }
            Some(Observed::Unexpected(response)) => {
                add(FindingKind::Unknown, format!("unexpected response: {response}"));
            }
            Some(Observed::NotCreated(_) | Observed::Unresolved(_) | Observed::NoResponse(_))
            | None => {
                if self.client.plan.behavior != ClientBehavior::Abandons {
                    add(FindingKind::Unknown, "the client never learned the outcome".to_owned());
                }
            }
        }
    }

    fn reported_ids(&self) -> impl Iterator<Item = &str> {
        self.client.observed.iter().filter_map(|(_, observed)| match observed {
            Observed::Created(id) => Some(id.as_str()),
            _ => None,
        })
    }

    fn may_be_unlinked(&self) -> bool {
        let killed = || self.histories.iter().any(|other| other.killed);
        self.client.plan.key.is_none() && (!self.single_process || killed())
    }

    /// Returns true if a duplicate request got 201, or its client left without a response.
    fn duplicate_created_it(&self) -> bool {
        let mut duplicates =
            self.histories.iter().filter(|other| other.plan.password == self.client.plan.password);
        duplicates.any(|other| {
            matches!(other.last(), Some(Observed::Created(_)))
                || other.plan.behavior == ClientBehavior::Abandons
        })
    }
}

/// Checks that each row matches the tenant, and that each user has a row.
fn check_ledger(
    users: &UserIndex,
    histories: &[(Person, Vec<ClientHistory>)],
    rows: &[Attempt],
    digests: &Digests,
    findings: &mut Findings,
) {
    let by_email = histories.iter().enumerate();
    let by_email =
        by_email.map(|(index, (person, _))| (digests.email(&person.email).current, index));
    let by_email: HashMap<Digest, usize> = by_email.collect();
    let mut created = HashSet::new();
    for row in rows {
        let id = row.auth0_user_id.as_deref().unwrap_or(row.user_id.as_str());
        let id = format!("auth0|{id}");
        let exists = users.ids.contains(&id);
        let person = by_email.get(&row.email).copied();
        let mut wrong = |kind, what| {
            let state = row.state.name();
            findings.add(kind, person, format!("the ledger has {id} as {state}, {what}"));
        };
        match row.state {
            AttemptState::Open | AttemptState::Unknown => {
                wrong(FindingKind::Unknown, "unresolved at the end");
            }
            AttemptState::Created if !exists => {
                wrong(FindingKind::Lost, "but the user does not exist");
            }
            AttemptState::Exists | AttemptState::NotCreated if exists => {
                wrong(FindingKind::Lost, "but the user exists");
            }
            AttemptState::Created if !created.insert(id.clone()) => {
                wrong(FindingKind::Duplicate, "in two rows");
            }
            AttemptState::Created | AttemptState::Exists | AttemptState::NotCreated => {}
        }
    }
    for (index, (person, _)) in histories.iter().enumerate() {
        for id in users.of_email(&person.email).iter().filter(|id| !created.contains(*id)) {
            findings.add(
                FindingKind::Lost,
                Some(index),
                format!("the ledger has no created row for {id}"),
            );
        }
    }
}
