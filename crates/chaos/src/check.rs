//! Compares the tenant's users, the ledger's rows and what every client heard.

use std::collections::{HashMap, HashSet};

use auth0_emulator::Emulator;
use auth0_signup::ledger::{Attempt, AttemptState, Digest, Digests};
use serde_json::Value;

use super::client::{Heard, Story};
use super::crowd::{Manner, Person};
use super::finding::{Count, Findings};

/// The tenant's users, found fast.
#[derive(Debug, Default)]
struct Users {
    by_email: HashMap<String, Vec<String>>,
    ids: HashSet<String>,
}

impl Users {
    fn of(auth0: &Emulator) -> Self {
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

/// Everything that is wrong.
///
/// `one_memory`: there is one replica, so a client without a key is known again until a kill.
pub(crate) fn check(
    auth0: &Emulator,
    stories: &[(Person, Vec<Story>)],
    rows: &[Attempt],
    digests: &Digests,
    one_memory: bool,
) -> Findings {
    let users = Users::of(auth0);
    let mut findings = Findings::default();
    for (index, (person, stories)) in stories.iter().enumerate() {
        let ids = users.of_email(&person.email);
        if ids.len() > 1 {
            findings.note(Count::Twice, Some(index), format!("{} users", ids.len()));
        }
        for story in stories {
            let whose = auth0.has_password(&person.email, &story.plan.password);
            let told = Told { story, stories, ids, is_own: whose, one_memory };
            told.check(index, &mut findings);
        }
    }
    ledger(&users, stories, rows, digests, &mut findings);
    findings
}

/// One client's story beside what is true.
struct Told<'a> {
    story: &'a Story,
    /// Those of all clients of the person.
    stories: &'a [Story],
    /// The users of the person's address.
    ids: &'a [String],
    /// Whether the user of the address has the client's password.
    is_own: bool,
    one_memory: bool,
}

impl Told<'_> {
    fn check(&self, person: usize, findings: &mut Findings) {
        let mut note = |count, what: String| findings.note(count, Some(person), what);
        let created: HashSet<_> = self.ids_told().collect();
        if created.len() > 1 {
            note(Count::Twice, format!("told of two users: {created:?}"));
        }
        for id in &created {
            if !self.ids.iter().any(|there| there == id) {
                note(Count::Lost, format!("told that {id} was created, which is not there"));
            } else if !self.is_own {
                note(Count::Lost, format!("told that {id} was created, which is another's"));
            }
        }
        match self.story.last() {
            Some(Heard::Taken) if self.ids.is_empty() => {
                note(Count::Lost, "told that the address is taken, by nobody".to_owned());
            }
            Some(Heard::Taken) if self.is_own && self.may_be_forgotten() => findings.forgotten += 1,
            Some(Heard::Taken) if self.is_own => {
                note(Count::Lost, "told that the address is taken, by its own user".to_owned());
            }
            Some(Heard::Created(_) | Heard::Taken) => {}
            Some(Heard::Nothing(code)) if self.story.plan.manner == Manner::GivesUp => {
                if self.is_own && self.may_be_forgotten() {
                    // Of its last attempt, truly; an earlier one made the user.
                    findings.forgotten += 1;
                } else if self.is_own && !self.another_made_it() {
                    note(Count::Lost, format!("told {code}, and the user is there"));
                }
            }
            Some(Heard::Odd(answer)) => note(Count::Unknown, format!("an odd answer: {answer}")),
            Some(Heard::Nothing(_) | Heard::NotKnown(_) | Heard::Silence(_)) | None => {
                if self.story.plan.manner != Manner::Leaves {
                    note(Count::Unknown, "never told what came of it".to_owned());
                }
            }
        }
    }

    fn ids_told(&self) -> impl Iterator<Item = &str> {
        self.story.heard.iter().filter_map(|(_, heard)| match heard {
            Heard::Created(id) => Some(id.as_str()),
            _ => None,
        })
    }

    fn may_be_forgotten(&self) -> bool {
        let killed = || self.stories.iter().any(|twin| twin.killed);
        self.story.plan.key.is_none() && (!self.one_memory || killed())
    }

    /// Whether a twin was told of the user, or left before it was told anything.
    fn another_made_it(&self) -> bool {
        let mut twins =
            self.stories.iter().filter(|twin| twin.plan.password == self.story.plan.password);
        twins.any(|twin| {
            matches!(twin.last(), Some(Heard::Created(_))) || twin.plan.manner == Manner::Leaves
        })
    }
}

/// Each row says what is true, and each user has its row.
fn ledger(
    users: &Users,
    stories: &[(Person, Vec<Story>)],
    rows: &[Attempt],
    digests: &Digests,
    findings: &mut Findings,
) {
    let people = stories.iter().enumerate();
    let people = people.map(|(index, (person, _))| (digests.email(&person.email).current, index));
    let people: HashMap<Digest, usize> = people.collect();
    let mut made = HashSet::new();
    for row in rows {
        let id = row.auth0_user_id.as_deref().unwrap_or(row.user_id.as_str());
        let id = format!("auth0|{id}");
        let there = users.ids.contains(&id);
        let person = people.get(&row.email).copied();
        let mut wrong = |count, what| {
            let state = row.state.name();
            findings.note(count, person, format!("the ledger says {state} of {id}, {what}"));
        };
        match row.state {
            AttemptState::Open | AttemptState::Unknown => wrong(Count::Unknown, "at the end"),
            AttemptState::Created if !there => wrong(Count::Lost, "which is not there"),
            AttemptState::Exists | AttemptState::NotCreated if there => {
                wrong(Count::Lost, "which is there")
            }
            AttemptState::Created if !made.insert(id.clone()) => wrong(Count::Twice, "twice"),
            AttemptState::Created | AttemptState::Exists | AttemptState::NotCreated => {}
        }
    }
    for (index, (person, _)) in stories.iter().enumerate() {
        for id in users.of_email(&person.email).iter().filter(|id| !made.contains(*id)) {
            findings.note(Count::Lost, Some(index), format!("the ledger made no {id}"));
        }
    }
}
