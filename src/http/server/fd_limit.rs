//! The process's limit on open files, and the number of connections that fit into it.
//!
//! Many systems start processes with a limit of 1,024, meant for programs that use `select`. A
//! server that reaches it cannot accept, and a thousand silent clients would be enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors left for the ledger, the tenant, the admin listener and files.
const RESERVED: u64 = 512;

/// Raises the limit as far as needed and allowed. Returns the number of connections that fit.
pub fn raise(connections: usize) -> usize {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVED);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < needed {
        let raised = needed.min(maximum.unwrap_or(u64::MAX));
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!("cannot raise the limit on open files: {error}"),
        }
    }
    let capacity = fitting(connections, limit);
    if capacity < connections {
        tracing::warn!(
            "http.max_connections is {connections}, but a limit of {limit} open files (ulimit -n) \
             leaves room for {capacity}"
        );
    }
    capacity
}

/// Returns the number of connections that fit into a limit, less a reserve of at most half.
fn fitting(connections: usize, limit: u64) -> usize {
    let capacity = limit - RESERVED.min(limit / 2);
    connections.min(usize::try_from(capacity).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_in_reserve() {
        for (connections, limit, expected) in [
            (10_000, u64::MAX, 10_000),
            (10_000, 10_512, 10_000),
            (10_000, 10_000, 9_488),
            (10_000, 1_024, 512),
            (10_000, 256, 128),
            (3, 1_024, 3),
        ] {
            assert_eq!(fitting(connections, limit), expected, "{connections} {limit}");
        }
    }
}
