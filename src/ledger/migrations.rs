//! The migrations: numbered SQL files, compiled in, each applied once and in order.
//!
//! Applied files never change; every change is a new file. A program also runs on a database that
//! is ahead of it (migrated by a newer replica), so a migration must keep everything that the
//! release before it reads and writes. The files that rename columns come before the first release.

use std::time::Duration;

/// One migration and its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: i32,
    /// Its topic.
    pub name: &'static str,
    /// The time at which it was applied; `None` while pending.
    pub applied_at: Option<Duration>,
}

/// A migration's SQL file.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) version: i32,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// A script with its number, its topic and its file.
macro_rules! script {
    ($version:literal, $name:literal, $file:literal) => {
        Script {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $file)),
        }
    };
}

pub(super) const SQLITE: [Script; 7] = [
    script!(1, "attempts", "sqlite/0001_attempts.sql"),
    script!(2, "redeemed_proofs", "sqlite/0002_redeemed_proofs.sql"),
    script!(3, "terms", "sqlite/0003_terms.sql"),
    script!(4, "rename_columns", "sqlite/0004_rename_columns.sql"),
    script!(5, "computed_identity", "sqlite/0005_computed_identity.sql"),
    script!(6, "keys_in_order_of_expiry", "sqlite/0006_keys_in_order_of_expiry.sql"),
    script!(7, "key_columns", "sqlite/0007_key_columns.sql"),
];

pub(super) const POSTGRES: [Script; 11] = [
    script!(1, "attempts", "postgres/0001_attempts.sql"),
    script!(2, "redeemed_proofs", "postgres/0002_redeemed_proofs.sql"),
    script!(3, "limits", "postgres/0003_limits.sql"),
    script!(4, "terms", "postgres/0004_terms.sql"),
    script!(5, "rename_columns", "postgres/0005_rename_columns.sql"),
    script!(6, "computed_identity", "postgres/0006_computed_identity.sql"),
    script!(7, "one_transaction", "postgres/0007_one_transaction.sql"),
    script!(8, "attempts_request_id", "postgres/0008_attempts_request_id.sql"),
    script!(9, "attempts_email_digest", "postgres/0009_attempts_email_digest.sql"),
    script!(10, "limits_ahead", "postgres/0010_limits_ahead.sql"),
    script!(11, "earlier_calls", "postgres/0011_earlier_calls.sql"),
];

/// Combines the scripts with the rows of the applied migrations: `(version, milliseconds)`.
pub(super) fn status(scripts: &[Script], applied: &[(i32, i64)]) -> Vec<Migration> {
    let applied_at = |version| {
        let (_, millis) = applied.iter().find(|(known, _)| *known == version)?;
        u64::try_from(*millis).ok().map(Duration::from_millis)
    };
    let status = |script: &Script| Migration {
        version: script.version,
        name: script.name,
        applied_at: applied_at(script.version),
    };
    scripts.iter().map(status).collect()
}

/// The scripts that have no row among the applied migrations.
pub(super) fn pending<'s>(
    scripts: &'s [Script],
    applied: &[(i32, i64)],
) -> impl Iterator<Item = &'s Script> {
    scripts.iter().filter(|script| applied.iter().all(|(version, _)| *version != script.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_is_compiled_in_with_its_number() {
        for (folder, scripts) in [("sqlite", &SQLITE[..]), ("postgres", &POSTGRES[..])] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files = std::fs::read_dir(path).unwrap();
            let mut names: Vec<_> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            let known =
                scripts.iter().map(|script| format!("{:04}_{}.sql", script.version, script.name));
            assert_eq!(names, known.collect::<Vec<_>>());
        }
    }

    /// The building of an index of a large table would stop all sign-ups.
    #[test]
    fn an_index_of_attempts_is_built_outside_of_a_transaction() {
        for script in &POSTGRES[1..] {
            for line in script.sql.lines().filter(|line| line.contains(" ON attempts (")) {
                assert!(!line.starts_with("CREATE"), "{}: {line}", script.name);
            }
            let is_separate = script.sql.starts_with("-- no transaction");
            assert_eq!(script.sql.contains(":schema."), is_separate, "{}", script.name);
        }
    }

    #[test]
    fn a_script_without_a_row_is_pending() {
        assert_eq!(pending(&SQLITE, &[]).count(), SQLITE.len());
        assert_eq!(pending(&SQLITE, &[(1, 5), (9, 6)]).count(), SQLITE.len() - 1);
        assert_eq!(status(&SQLITE, &[(1, 5)])[0].applied_at, Some(Duration::from_millis(5)));
    }
}
