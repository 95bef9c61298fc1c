//! The settings that have to fit into others: one table, with which the comments of
//! `config/default.toml` are compared.

use std::collections::BTreeMap;
use std::fmt;

/// Settings whose sum another setting bounds. Times of different units are compared as times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    parts: &'static [&'static str],
    bound: &'static str,
}

/// Every sentence of `config/default.toml` that says "has to fit into".
const FITS: [Fit; 5] = [
    Fit {
        parts: &["auth0.timeout_ms", "auth0.budget.max_wait_ms"],
        bound: "http.request_timeout_ms",
    },
    Fit {
        parts: &["http.body_timeout_ms", "existence_uniform.floor_ms"],
        bound: "http.request_timeout_ms",
    },
    Fit { parts: &["auth0.breaker.pause_ms"], bound: "auth0.breaker.max_pause_ms" },
    Fit { parts: &["fields.username_min_length"], bound: "fields.username_max_length" },
    Fit { parts: &["ledger.key_lifetime_hours"], bound: "ledger.retention_days" },
];

/// Returns what does not fit. A rule with a number that was not read holds.
pub(super) fn misfits(numbers: &BTreeMap<String, u64>) -> impl Iterator<Item = Fit> {
    let value = |key: &&str| Some(numbers.get(*key)?.saturating_mul(unit(key)));
    let is_misfit = move |fit: &Fit| {
        let sum = fit.parts.iter().map(value).sum::<Option<u64>>();
        sum.zip(value(&fit.bound)).is_some_and(|(sum, bound)| sum > bound)
    };
    FITS.into_iter().filter(is_misfit)
}

impl Fit {
    /// The keys that this concerns.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().copied().chain([self.bound])
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to fit into {}", self.parts.join(" + "), self.bound)
    }
}

/// Milliseconds in the unit that the name of a key ends in; 1 for a plain number.
fn unit(key: &str) -> u64 {
    match key.rsplit('_').next() {
        Some("hours") => 3_600_000,
        Some("days") => 86_400_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::DEFAULTS;
    use super::*;

    #[test]
    fn the_comments_say_what_has_to_fit() {
        let comments = DEFAULTS.lines().filter_map(|line| line.strip_prefix("# "));
        let comments = comments.collect::<Vec<_>>().join(" ");
        for fit in FITS {
            let sentence = format!("{} has to fit into {}.", fit.parts.join(" + "), fit.bound);
            assert!(comments.contains(&sentence), "{sentence}");
        }
        assert_eq!(comments.matches("to fit into").count(), FITS.len());
    }

    #[test]
    fn a_sum_is_compared_in_one_unit() {
        let numbers = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(key, number)| ((*key).to_owned(), *number)).collect()
        };
        let misfits = |pairs: &[(&str, u64)]| misfits(&numbers(pairs)).count();
        let (hours, days) = ("ledger.key_lifetime_hours", "ledger.retention_days");
        assert_eq!(misfits(&[(hours, 48), (days, 2)]), 0);
        assert_eq!(misfits(&[(hours, 49), (days, 2)]), 1);
        assert_eq!(misfits(&[(hours, 49)]), 0);
    }
}
