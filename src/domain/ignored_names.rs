//! Field names that are accepted and ignored.

use std::collections::HashSet;

/// The fields that web frameworks add to every form. A trailing `*` stands for any rest.
const OF_FRAMEWORKS: [&str; 11] = [
    // Ruby on Rails
    "utf8",
    "authenticity_token",
    "commit",
    "_method",
    // Laravel and Symfony
    "_token",
    // Express (csurf) and Spring Security
    "_csrf",
    // Django
    "csrfmiddlewaretoken",
    // Flask and SvelteKit's libraries
    "csrf_token",
    // ASP.NET
    "__RequestVerificationToken",
    // Next.js and React: $ACTION_ID_…, $ACTION_REF_1, $ACTION_1:0, $ACTION_KEY
    "$ACTION_*",
    // The same in a form of a server component that React encodes: 1_$ACTION_ID_…
    "1_$ACTION_*",
];

/// Field names that are accepted and ignored: those of frameworks, and the operator's own.
#[derive(Debug)]
pub struct IgnoredNames {
    names: HashSet<String>,
    /// The text before a trailing `*`.
    prefixes: Vec<String>,
}

impl IgnoredNames {
    /// Ignores a name, or with a trailing `*` every name that starts with the text before it.
    pub fn insert(&mut self, name: &str) {
        match name.strip_suffix('*') {
            Some(prefix) => self.prefixes.push(prefix.to_owned()),
            None => drop(self.names.insert(name.to_owned())),
        }
    }

    /// Returns whether a name is ignored.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl Default for IgnoredNames {
    /// Those of frameworks.
    fn default() -> Self {
        let mut ignored = Self { names: HashSet::new(), prefixes: Vec::new() };
        for name in OF_FRAMEWORKS {
            ignored.insert(name);
        }
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_own_and_prefixed_names_are_ignored() {
        let mut ignored = IgnoredNames::default();
        ignored.insert("submit");
        ignored.insert("utm_*");
        for name in [
            "utf8",
            "authenticity_token",
            "_method",
            "_csrf",
            "$ACTION_ID_7f",
            "$ACTION_1:0",
            "submit",
            "utm_source",
        ] {
            assert!(ignored.contains(name), "{name}");
        }
        for name in ["role", "$ACTION", "UTF8", "submit2", "utm", "x$ACTION_ID_7f", ""] {
            assert!(!ignored.contains(name), "{name}");
        }
    }
}
