//! Compares every response that any client got with the tenant's users.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::client::ClientHistory;
use super::finding::{FindingKind, Findings};
use super::losses::Losses;
use super::observed::{Observation, Observed};
use super::people::{ClientBehavior, Person};
use super::truth::{TenantUser, Truth};

/// A person and the histories of its clients.
pub(crate) type PersonHistory = (Person, Vec<ClientHistory>);

/// Checks every client.
pub(crate) fn check_clients(
    truth: &Truth<'_>,
    people: &[PersonHistory],
    losses: &Losses,
    findings: &mut Findings,
) {
    for (index, (person, histories)) in people.iter().enumerate() {
        let users: Vec<_> = truth.of_email(&person.email).collect();
        if users.len() > 1 {
            findings.add(FindingKind::Duplicate, Some(index), format!("{} users", users.len()));
        }
        for client in histories {
            let check = ClientCheck { truth, person, client, histories, users: &users, losses };
            check.check(index, findings);
        }
    }
}

/// One client's history, with the facts to check it against.
struct ClientCheck<'a> {
    truth: &'a Truth<'a>,
    person: &'a Person,
    client: &'a ClientHistory,
    /// The histories of all clients of the person.
    histories: &'a [ClientHistory],
    /// The users with the person's address.
    users: &'a [&'a TenantUser],
    losses: &'a Losses,
}

impl ClientCheck<'_> {
    fn check(&self, person: usize, findings: &mut Findings) {
        let observed = &self.client.observed;
        let without_key = self.client.plan.key.is_none();
        let created = observed.iter().filter_map(|observation| observation.observed.created_id());
        let created: HashSet<_> = created.collect();
        if created.len() > 1 {
            let description = format!("the client got two users: {created:?}");
            findings.add(FindingKind::Duplicate, Some(person), description);
        }
        for observation in observed {
            if let Err(wrong) = self.check_response(observation) {
                findings.add_response(person, without_key, wrong);
            }
        }
        if let Err(wrong) = self.check_end() {
            findings.add_response(person, without_key, wrong);
        }
    }

    /// Checks one response.
    fn check_response(&self, observation: &Observation) -> Result<(), (FindingKind, String)> {
        match &observation.observed {
            Observed::Created(user) => self.check_created(user, observation),
            Observed::EmailTaken => {
                let mut existing = self
                    .users
                    .iter()
                    .filter(|user| user.existed_at(observation.received_at))
                    .peekable();
                let incorrect = |what| (FindingKind::Incorrect, format!("email_taken, but {what}"));
                if existing.peek().is_none() {
                    return Err(incorrect("no user had the address"));
                }
                if existing.all(|user| self.owns(user)) {
                    return Err(incorrect("the user is the client's own"));
                }
                Ok(())
            }
            Observed::Unexpected(response) => {
                Err((FindingKind::Unknown, format!("unexpected response: {response}")))
            }
            Observed::NotCreated(code) => self.check_not_created(code, observation),
            Observed::Unresolved(_) | Observed::Lost(_) | Observed::HungUp => Ok(()),
        }
    }

    /// Checks a 201.
    fn check_created(
        &self,
        body: &Map<String, Value>,
        observation: &Observation,
    ) -> Result<(), (FindingKind, String)> {
        let id = observation.observed.created_id().unwrap_or_default();
        let Some(user) = self.truth.user(id) else {
            return Err((FindingKind::Lost, format!("201 for {id}, but no such user exists")));
        };
        let incorrect =
            |what: String| Err((FindingKind::Incorrect, format!("201 for {id}, {what}")));
        if user.email != self.person.email {
            return incorrect("which has another person's address".to_owned());
        }
        if !self.owns(user) {
            let description = format!("201 for {id}, which is somebody else's user");
            let is_known = self.may_have_the_same_id(user);
            let kind = if is_known { FindingKind::Confused } else { FindingKind::Incorrect };
            return Err((kind, description));
        }
        if !user.existed_at(observation.received_at) {
            return incorrect("which did not exist yet".to_owned());
        }
        let profile = &self.client.plan.profile;
        let expected = json!({
            "email": self.person.email,
            "given_name": profile.given_name,
            "family_name": profile.family_name,
            "name": profile.name(),
        });
        for (name, value) in body {
            let differs = |from: &Value| from.get(name).is_some_and(|expected| expected != value);
            if differs(&expected) || differs(&user.members) {
                return incorrect(format!("with a wrong {name}: {value}"));
            }
        }
        Ok(())
    }

    /// Checks a response that says that nothing was created. Nothing is created later either if the
    /// client sends no further request.
    fn check_not_created(
        &self,
        code: &str,
        observation: &Observation,
    ) -> Result<(), (FindingKind, String)> {
        let counts =
            |user: &TenantUser| self.accepts_failure() || user.existed_at(observation.received_at);
        let created = self.users.iter().any(|user| self.owns(user) && counts(user));
        if created && !self.another_request_created_it(code, observation) {
            let description = format!("{code}, but the client's user exists");
            return Err((FindingKind::Incorrect, description));
        }
        Ok(())
    }

    fn accepts_failure(&self) -> bool {
        self.client.plan.behavior == ClientBehavior::AcceptsFailure
    }

    /// Checks that the client knows the outcome at the end.
    fn check_end(&self) -> Result<(), (FindingKind, String)> {
        match self.client.last() {
            // Checked as a response.
            Some(Observed::Created(_) | Observed::EmailTaken | Observed::Unexpected(_)) => Ok(()),
            Some(Observed::NotCreated(_)) if self.accepts_failure() => Ok(()),
            _ if self.client.plan.behavior == ClientBehavior::Abandons => Ok(()),
            _ => Err((FindingKind::Unknown, "the client never learned the outcome".to_owned())),
        }
    }

    /// Returns whether the user may come from another request than this one.
    ///
    /// A duplicate request may have created it. So may an earlier request of the same client, if
    /// the ledger lost its row since: "nothing was created" is then correct for its own attempt.
    /// `unavailable` says nothing about earlier requests: their rows cannot be read.
    fn another_request_created_it(&self, code: &str, observation: &Observation) -> bool {
        let password = &self.client.plan.profile.password;
        let duplicates =
            self.histories.iter().filter(|other| other.plan.profile.password == *password);
        let mut others = duplicates.filter(|other| !std::ptr::eq(*other, self.client));
        let earlier_may_have = code == "unavailable" || self.losses.affect(self.client);
        let has_earlier = self.client.observed.iter().any(|other| other.at < observation.at);
        earlier_may_have && has_earlier
            || others.any(|other| {
                other.observed.iter().any(|observation| {
                    let observed = &observation.observed;
                    !matches!(observed, Observed::EmailTaken | Observed::NotCreated(_))
                })
            })
    }

    /// Returns whether another form without a key, whose row may be lost, has created the user.
    fn may_have_the_same_id(&self, user: &TenantUser) -> bool {
        let of_another = |other: &ClientHistory| {
            other.plan.key.is_none() && self.truth.is_owner(&other.plan.profile, user)
        };
        self.client.plan.key.is_none()
            && self.losses.affect(self.client)
            && self.histories.iter().any(of_another)
    }

    fn owns(&self, user: &TenantUser) -> bool {
        self.truth.is_owner(&self.client.plan.profile, user)
    }
}

#[cfg(test)]
mod tests;
