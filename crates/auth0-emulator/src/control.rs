//! `/_emulator/…`: the emulator's own API, for tests in other languages. It is not journalled and
//! no fault touches it.

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::fault::Script;
use crate::journal::Entry;
use crate::world::World;

/// Where the API begins.
pub(crate) const PREFIX: &str = "/_emulator/";

/// The body of `POST /_emulator/secret`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    /// The new client secret.
    client_secret: String,
}

/// The body of `POST /_emulator/clock`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shift {
    /// By how many milliseconds the clock goes ahead, or back.
    advance_ms: i64,
}

/// Answers a request for what follows the prefix.
pub(crate) fn answer(world: &World, path: &str, entry: &Entry) -> Answer {
    let done = || Answer::empty(StatusCode::NO_CONTENT);
    let shown = |value: Value| Answer::json(StatusCode::OK, &value);
    match (entry.method.as_str(), path) {
        ("GET", "journal") => {
            let entries = world.journal.entries(|_| true);
            shown(entries.iter().map(Entry::to_json).collect())
        }
        ("DELETE", "journal") => {
            world.journal.clear();
            done()
        }
        ("GET", "users") => Answer::json(StatusCode::OK, &users(world)),
        ("POST", "faults") => with_body(entry, |script: Script| {
            let (route, fault) = script.into_fault();
            world.faults.add(route, fault);
            Ok(shown(json!({ "waiting": world.faults.len() })))
        }),
        ("DELETE", "faults") => {
            world.faults.clear();
            done()
        }
        ("POST", "revoke-tokens") => {
            world.revoke_tokens();
            done()
        }
        ("POST", "secret") => with_body(entry, |body: Secret| {
            world.change(|tenant| tenant.client_secret = body.client_secret);
            Ok(done())
        }),
        ("POST", "clock") => with_body(entry, |body: Shift| {
            world.clock.shift_ms(body.advance_ms);
            Ok(shown(json!({ "now": world.clock.timestamp() })))
        }),
        ("GET", "tenant") => Answer::json(StatusCode::OK, &*world.tenant()),
        ("PUT", "tenant") => with_body(entry, |changes: Value| {
            world.change(|tenant| {
                *tenant = tenant.patched(changes)?;
                Ok(Answer::json(StatusCode::OK, &*tenant))
            })
        }),
        ("POST", "reset") => {
            world.reset();
            done()
        }
        _ => Answer::problem(StatusCode::NOT_FOUND, "the emulator has no such operation", None),
    }
}

/// Every user, without their passwords.
pub(crate) fn users(world: &World) -> Vec<Value> {
    world.users.with(|users| {
        users.all().filter_map(|stored| serde_json::to_value(&stored.user).ok()).collect()
    })
}

/// Reads the body as JSON and does something with it; what does not work is a 400 that says why.
fn with_body<T: DeserializeOwned>(
    entry: &Entry,
    operation: impl FnOnce(T) -> Result<Answer, String>,
) -> Answer {
    serde_json::from_slice(&entry.body)
        .map_err(|error| error.to_string())
        .and_then(operation)
        .unwrap_or_else(|why| Answer::problem(StatusCode::BAD_REQUEST, why, None))
}
