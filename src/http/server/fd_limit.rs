//! How many connections the process has file descriptors for.
//!
//! Many systems start processes with room for 1,024, meant for programs that use `select`. A server
//! that runs out of them cannot accept, and a thousand silent clients would be enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Left for the ledger, the tenant, the admin listener and files.
const SPARE: u64 = 512;

/// Raises the process's own bound as far as it is needed and allowed, and says how many of these
/// connections there is room for.
pub fn raise_fd_limit(connections: usize) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut bound = current.unwrap_or(u64::MAX);
    if bound < wanted {
        let raised = wanted.min(maximum.unwrap_or(u64::MAX));
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
            Ok(()) => bound = raised,
            Err(error) => tracing::warn!("the bound on open files cannot be raised: {error}"),
        }
    }
    let room = fitting(connections, bound);
    if room < connections {
        tracing::warn!(
            "http.max_connections is {connections}, but with {bound} open files allowed (ulimit -n) \
             there is room for {room}"
        );
    }
    room
}

/// How many of the connections fit into a bound, with something to spare.
fn fitting(connections: usize, bound: u64) -> usize {
    let room = bound - SPARE.min(bound / 2);
    connections.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_spare() {
        for (connections, bound, expected) in [
            (10_000, u64::MAX, 10_000),
            (10_000, 10_512, 10_000),
            (10_000, 10_000, 9_488),
            (10_000, 1_024, 512),
            (10_000, 256, 128),
            (3, 1_024, 3),
        ] {
            assert_eq!(fitting(connections, bound), expected, "{connections} {bound}");
        }
    }
}
