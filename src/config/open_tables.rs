//! The tables of settings whose members the operator names.

/// The tables whose members the operator names.
pub(super) const OPEN_TABLES: [&str; 5] =
    ["page.labels", "page.links", "page.options", "page.providers", "user_metadata.keys"];

/// The open table that a name is, or is a member of, and the rest of the name.
pub(super) fn open_table(name: &str) -> Option<(&'static str, &str)> {
    let rest = |table: &&'static str| {
        let rest = name.strip_prefix(*table)?;
        let member = if rest.is_empty() { rest } else { rest.strip_prefix('.')? };
        Some((*table, member))
    };
    OPEN_TABLES.iter().find_map(rest)
}
