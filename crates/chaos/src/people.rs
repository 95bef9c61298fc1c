//! The people who sign up, each with one client or two that collide on purpose.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A person with an e-mail address.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Counted from 0.
    pub(crate) number: u32,
    /// The person's own address.
    pub(crate) email: String,
    /// One client, or two that run at the same time.
    pub(crate) clients: Vec<ClientPlan>,
}

/// The plan of one client.
#[derive(Debug, Clone)]
pub(crate) struct ClientPlan {
    /// Identifies the owner of a user if two clients use the same address.
    pub(crate) password: String,
    /// Duplicate requests share a key.
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
    /// Hangs up early this many times, then retries.
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
    let kind = rng.random_range(0..100);
    let key = |rng: &mut StdRng| Some(format!("{:032x}", rng.random::<u128>()));
    let password = |of: u8| format!("Chaos-{number}-Secret-{of}");
    let first = key(rng);
    let pairs = match kind {
        // Two requests at once with the same key.
        0..8 if left > 1 => vec![(password(1), first.clone()), (password(1), first)],
        // Two clients that want the same address.
        8..16 if left > 1 => vec![(password(1), first), (password(2), key(rng))],
        // No key: a double click in a plain form.
        16..20 if left > 1 => vec![(password(1), None), (password(1), None)],
        20..24 => vec![(password(1), None)],
        _ => vec![(password(1), first)],
    };
    let plan =
        |(password, key)| ClientPlan { password, key, behavior: behavior(rng), seed: rng.random() };
    let email = format!("person-{number}@example.com");
    Person { number, email, clients: pairs.into_iter().map(plan).collect() }
}

fn behavior(rng: &mut StdRng) -> ClientBehavior {
    match rng.random_range(0..100) {
        0..15 => ClientBehavior::HangsUp(rng.random_range(1..=3)),
        15..30 => ClientBehavior::AcceptsFailure,
        30..33 => ClientBehavior::Abandons,
        33..48 => ClientBehavior::Slow,
        _ => ClientBehavior::Patient,
    }
}
