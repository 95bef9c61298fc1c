//! `TOKIO_WORKER_THREADS`: the number of runtime threads. Read here, because the runtime itself panics
//! over a wrong number.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use super::reader::{Reader, whole_number};
use super::variables::WORKER_THREADS;

/// Each is a thread from the start.
const RANGE: RangeInclusive<usize> = 1..=1024;

/// The number in the environment; `None` if it is not set, blank or wrong. A wrong one is an error of
/// [`load`](super::load).
pub fn worker_threads(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<usize> {
    let (_, number) = environment.into_iter().find(|(name, _)| name == WORKER_THREADS)?;
    parse(number.to_str()?.trim())
}

/// Adds an error if the number is wrong.
pub(super) fn check(reader: &mut Reader<'_>) {
    let _number = reader.parsed(WORKER_THREADS, whole_number(&RANGE), parse);
}

fn parse(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number| RANGE.contains(number))
}
