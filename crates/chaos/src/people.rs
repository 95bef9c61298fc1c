//! Who signs up: people, each with one client or two that collide on purpose.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Somebody with an e-mail address.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// From 0.
    pub(crate) number: u32,
    /// An address of their own.
    pub(crate) email: String,
    /// One, or two at the same time.
    pub(crate) clients: Vec<ClientPlan>,
}

/// What a client is going to do.
#[derive(Debug, Clone)]
pub(crate) struct ClientPlan {
    /// Tells whose user it is when two clients want one address.
    pub(crate) password: String,
    /// Twins share one.
    pub(crate) key: Option<String>,
    /// How it bears failure.
    pub(crate) behavior: ClientBehavior,
    /// Where its own chance starts.
    pub(crate) seed: u64,
}

/// How a client bears failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientBehavior {
    /// Tries until it is told.
    Patient,
    /// The same, with seconds between two tries: its attempt may be settled meanwhile.
    Slow,
    /// Hangs up early so many times, and comes back.
    HangsUp(u8),
    /// Takes "nothing was created" for an answer.
    AcceptsFailure,
    /// Hangs up and never comes back.
    Abandons,
}

/// So many clients, the same ones for the same seed.
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
        // One key, twice at once.
        0..8 if left > 1 => vec![(password(1), first.clone()), (password(1), first)],
        // One address that two want.
        8..16 if left > 1 => vec![(password(1), first), (password(2), key(rng))],
        // No key: a double click by a plain form.
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
