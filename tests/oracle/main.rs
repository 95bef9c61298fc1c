//! Our rules against the packages that Auth0 validates with. Both must agree on every vector of
//! `tests/vectors` (see the README there).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test prints how many vectors agree, and stops at a file that it cannot read"
)]

mod fields;
mod password;

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a file of vectors.
fn load<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text = fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Checks every vector, prints how many agree and fails with the list of those that do not.
fn require_agreement<T>(name: &str, vectors: &[T], disagreement: impl Fn(&T) -> Option<String>) {
    let disagreements: Vec<_> = vectors.iter().filter_map(disagreement).collect();
    println!("{name}: {} of {} agree", vectors.len() - disagreements.len(), vectors.len());
    assert!(disagreements.is_empty(), "{name} disagrees:\n{}", disagreements.join("\n"));
}
