//! The settings that a running service takes up, and those that it reads only at start.

use super::layers::Layers;

/// The keys that are read only at start. One that ends in a dot stands for every key of its section.
const AT_START: [&str; 25] = [
    // The tenant, its connections and its budget: attempts under way depend on them.
    "auth0.",
    // Attempts under way depend on these.
    "existence",
    "existence_uniform.",
    "idempotency.",
    "reconciliation.",
    // Every row is keyed by the secret; the two are opened together.
    "database.",
    "ledger.",
    "secrets.",
    // The sockets, and the connections that are open.
    "admin.",
    "http.host",
    "http.port",
    "http.max_connections",
    "http.max_connections_per_address",
    "http.max_unfinished_per_address",
    "http.connection_memory_mib",
    "http.first_byte_timeout_ms",
    "http.header_timeout_ms",
    "http.idle_timeout_ms",
    "http.shutdown_delay_ms",
    "http.shutdown_timeout_ms",
    // The memory of the buckets.
    "limits.max_buckets",
    "log.format",
    // The exporter and its queue.
    "traces.",
    // A member of the create call.
    "terms.key",
    "terms.target",
];

/// The exceptions from [`AT_START`]: the credentials of the application. A reload also takes up
/// `database.url`, as long as it names the same database.
const LIVE: [&str; 6] = [
    "auth0.client_assertion_key_id",
    "auth0.client_assertion_signing_alg",
    "auth0.client_assertion_signing_key",
    "auth0.client_secret",
    "auth0.client_secret_in",
    "auth0.client_secret_previous",
];

/// The settings that differ between two readings of the layers, by key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that a running service takes up.
    pub live: Vec<String>,
    /// Those that it reads only at start.
    pub at_start: Vec<String>,
}

impl Changes {
    /// Compares two readings.
    pub fn between(before: &Layers, after: &Layers) -> Self {
        let (live, at_start) = before.differences(after).into_iter().partition(|key| is_live(key));
        Self { live, at_start }
    }
}

impl Layers {
    /// The part of these layers that a service started with `started_with` can take up: all but the
    /// settings that it reads only at start.
    #[must_use]
    pub fn taken_up_after(&self, started_with: &Self) -> Self {
        // No reload uses the old file of authorities, which may be gone.
        let is_kept = |key: &str| self.is_key(key) && !is_live(key) && key != "auth0.ca_file";
        self.with(started_with, is_kept)
    }
}

/// Returns whether a running service takes up a change of this key.
fn is_live(key: &str) -> bool {
    LIVE.contains(&key) || !AT_START.iter().any(|name| covers(name, key))
}

/// Returns whether a name of a key or a section stands for this key.
fn covers(name: &str, key: &str) -> bool {
    key == name || (name.ends_with('.') && key.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(variables: &[(&str, &str)]) -> Layers {
        Layers::from_variables(variables).0
    }

    #[test]
    fn every_name_is_a_key_or_a_section() {
        let layers = layers(&[]);
        for name in AT_START.iter().chain(&LIVE) {
            assert!(layers.keys().any(|key| covers(name, key)), "{name}");
        }
    }

    #[test]
    fn what_only_a_start_reads_stays() {
        let settings = |existence, burst, file| {
            layers(&[
                ("SIGNUP__EXISTENCE", existence),
                ("SIGNUP__LIMITS__EMAIL__BURST", burst),
                ("SIGNUP__AUTH0__CA_FILE", file),
            ])
        };
        let taken_up = settings("reveal", "4", "b").taken_up_after(&settings("uniform", "3", "a"));
        // The file of authorities is not read again, and its old path may be gone.
        assert_eq!(taken_up.differences(&settings("uniform", "4", "b")), [""; 0]);
    }

    #[test]
    fn changes_are_found_by_value_in_tables_too() {
        let before = layers(&[("PORT", "1"), ("SIGNUP__LIMITS__EMAIL__BURST", "3")]);
        assert_eq!(Changes::between(&before, &before), Changes::default());
        // The same value by another name.
        let same = layers(&[("SIGNUP__HTTP__PORT", "1"), ("SIGNUP__LIMITS__EMAIL__BURST", "3")]);
        assert_eq!(Changes::between(&before, &same), Changes::default());
        let after = layers(&[
            ("PORT", "2"),
            ("AUTH0_CLIENT_SECRET", "canary"),
            ("AUTH0_CONNECTION", "users"),
            ("SIGNUP__PAGE__LABELS__PLAN", "Plan"),
        ]);
        let changes = Changes::between(&before, &after);
        assert_eq!(changes.live, ["auth0.client_secret", "limits.email.burst", "page.labels"]);
        assert_eq!(changes.at_start, ["auth0.connection", "http.port"]);
    }
}
