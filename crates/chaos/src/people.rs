//! The people who sign up, each with one client or two that collide on purpose.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// An e-mail address, and the clients that sign up with it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Counted from 0.
    pub(crate) number: u32,
    /// The address. No other person has it.
    pub(crate) email: String,
    /// Set if somebody registers the address at the tenant, a moment before the clients start.
    pub(crate) registered_before: Option<Profile>,
    /// One client, or two that run at the same time.
    pub(crate) clients: Vec<ClientPlan>,
}

/// The password and names that somebody signs up with. Nobody else has the same.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// Identifies the owner of a user if several people use the same address.
    pub(crate) password: String,
    /// The given name.
    pub(crate) given_name: String,
    /// The family name.
    pub(crate) family_name: String,
}

impl Profile {
    /// The profile of one of the people who use this person's address.
    fn new(person: u32, owner: u8) -> Self {
        Self {
            password: format!("Chaos-{person}-Secret-{owner}"),
            given_name: format!("Ada{person}x{owner}"),
            family_name: format!("Lovelace{person}x{owner}"),
        }
    }

    /// The full name that the service composes.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// The plan of one client.
#[derive(Debug, Clone)]
pub(crate) struct ClientPlan {
    /// Duplicate requests share a profile.
    pub(crate) profile: Profile,
    /// The idempotency key. Duplicate requests share it, or have none.
    pub(crate) key: Option<String>,
    /// The reaction to failures.
    pub(crate) behavior: ClientBehavior,
    /// The seed of the client's random choices.
    pub(crate) seed: u64,
}

/// A client's reaction to failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientBehavior {
    /// Retries until it knows the outcome.
    Patient,
    /// The same, with seconds between two requests, so that the attempt may be resolved meanwhile.
    Slow,
    /// Hangs up this many times, at any stage of the attempt, then retries.
    HangsUp(u8),
    /// Accepts "nothing was created" as the outcome.
    AcceptsFailure,
    /// Hangs up and never comes back.
    Abandons,
}

/// Generates this many clients. The same seed gives the same ones.
pub(crate) fn generate_people(clients: u32, seed: u64) -> Vec<Person> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut people = Vec::new();
    let mut left = clients;
    while left > 0 {
        let person = person(u32::try_from(people.len()).unwrap_or(u32::MAX), left, &mut rng);
        left = left.saturating_sub(u32::try_from(person.clients.len()).unwrap_or(left));
        people.push(person);
    }
    people
}

fn person(number: u32, left: u32, rng: &mut StdRng) -> Person {
    let key = |rng: &mut StdRng| Some(format!("{:032x}", rng.random::<u128>()));
    let first = key(rng);
    let mut registered_before = false;
    // For each client, the owner of its profile and its key.
    let clients = match rng.random_range(0..100) {
        // Two requests at once with the same key.
        0..8 if left > 1 => vec![(1, first.clone()), (1, first)],
        // Two people who want the same address, with keys or without.
        8..14 if left > 1 => vec![(1, first), (2, key(rng))],
        14..16 if left > 1 => vec![(1, None), (2, None)],
        // A double click in a plain form.
        16..24 if left > 1 => vec![(1, None), (1, None)],
        24..36 => vec![(1, None)],
        // Somebody else's address.
        36..44 => {
            registered_before = true;
            vec![(1, first.filter(|_| rng.random()))]
        }
        _ => vec![(1, first)],
    };
    let plan = |(owner, key)| ClientPlan {
        profile: Profile::new(number, owner),
        key,
        behavior: behavior(rng),
        seed: rng.random(),
    };
    Person {
        number,
        email: format!("person-{number}@example.com"),
        clients: clients.into_iter().map(plan).collect(),
        registered_before: registered_before.then(|| Profile::new(number, 0)),
    }
}

fn behavior(rng: &mut StdRng) -> ClientBehavior {
    match rng.random_range(0..100) {
        0..20 => ClientBehavior::HangsUp(rng.random_range(1..=3)),
        20..35 => ClientBehavior::AcceptsFailure,
        35..38 => ClientBehavior::Abandons,
        38..50 => ClientBehavior::Slow,
        _ => ClientBehavior::Patient,
    }
}
