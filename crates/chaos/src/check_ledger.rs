//! Compares the ledger's rows with the tenant's users.

use std::collections::{HashMap, HashSet};

use auth0_signup::digest::{Digest, Digests};
use auth0_signup::ledger::{Attempt, AttemptState};

use super::check::PersonHistory;
use super::finding::{FindingKind, Findings};
use super::losses::Losses;
use super::people::Person;
use super::truth::Truth;

/// Checks that each row matches the tenant, and that each user has a row.
///
/// `digests` has those of every secret that the run used. Users of people whose rows may be lost need
/// none.
pub(crate) fn check_ledger(
    truth: &Truth<'_>,
    people: &[PersonHistory],
    rows: &[Attempt],
    digests: &[Digests],
    losses: &Losses,
    findings: &mut Findings,
) {
    let by_email = people_by_digest(people, digests);
    let ids = |keep: fn(&Attempt) -> bool| -> HashSet<String> {
        rows.iter().filter(|row| keep(row)).map(user_id).collect()
    };
    let created = ids(|row| row.state == AttemptState::Created);
    // An unresolved row is a finding already. It may not name the user that its call created.
    let unresolved = rows.iter().filter(|row| !row.state.is_resolved());
    let unresolved: HashSet<usize> =
        unresolved.filter_map(|row| by_email.get(&row.email).copied()).collect();
    let mut seen = HashSet::new();
    for row in rows {
        let id = user_id(row);
        let exists = truth.user(&id).is_some();
        let (kind, what) = match row.state {
            AttemptState::Open | AttemptState::Unknown => {
                (FindingKind::Unknown, "unresolved at the end")
            }
            AttemptState::Created if !exists => (FindingKind::Lost, "but the user does not exist"),
            AttemptState::Created if !seen.insert(id.clone()) => {
                (FindingKind::Duplicate, "in two rows")
            }
            // A later attempt with the same key may have the same id.
            AttemptState::Exists | AttemptState::NotCreated
                if exists && !created.contains(&id) && !lost(people, row, &by_email, losses) =>
            {
                (FindingKind::Lost, "but the user exists")
            }
            AttemptState::Created | AttemptState::Exists | AttemptState::NotCreated => continue,
        };
        let state = row.state.name();
        let person = by_email.get(&row.email).copied();
        let secret = person.and_then(|person| secret_of(row, &people.get(person)?.0, digests));
        let secret = secret.map_or(String::new(), |secret| format!("; of secret {secret}"));
        findings.add(kind, person, format!("the ledger has {id} as {state}, {what}{secret}"));
    }
    for (index, (person, histories)) in people.iter().enumerate() {
        if histories.iter().any(|client| losses.affect(client)) {
            continue;
        }
        for user in truth.of_email(&person.email) {
            let registered_before = person.registered_before.as_ref();
            let through_service =
                registered_before.is_none_or(|profile| !truth.is_owner(profile, user));
            let recorded = created.contains(&user.id) || unresolved.contains(&index);
            if through_service && !recorded {
                let description = format!("the ledger has no created row for {}", user.id);
                findings.add(FindingKind::Lost, Some(index), description);
            }
        }
    }
}

/// Returns whether the row of the attempt that created the user may be lost.
fn lost(
    people: &[PersonHistory],
    row: &Attempt,
    by_email: &HashMap<Digest, usize>,
    losses: &Losses,
) -> bool {
    let person = by_email.get(&row.email).and_then(|index| people.get(*index));
    let clients = person.map(|(_, histories)| histories.as_slice()).unwrap_or_default();
    clients.iter().any(|client| losses.affect(client))
}

/// The number of the secret that the row was written under, from 1, if there are several.
fn secret_of(row: &Attempt, person: &Person, digests: &[Digests]) -> Option<usize> {
    let is_used = |digests: &Digests| digests.email(&person.email).current == row.email;
    digests.iter().position(is_used).filter(|_| digests.len() > 1).map(|index| index + 1)
}

fn user_id(row: &Attempt) -> String {
    row.created_user_id().to_string()
}

fn people_by_digest(people: &[PersonHistory], digests: &[Digests]) -> HashMap<Digest, usize> {
    let mut by_digest = HashMap::new();
    for (index, (person, _)) in people.iter().enumerate() {
        by_digest
            .extend(digests.iter().map(|digests| (digests.email(&person.email).current, index)));
    }
    by_digest
}
