//! Common passwords: a short built-in list, and the tenant's own words.

use serde::{Deserialize, Serialize};

/// The built-in list, one word a line. The tenant's has ten thousand words; a test needs few.
const COMMON: &str = include_str!("common.txt");

/// The dictionary setting of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DictionaryOptions {
    /// Turns the check on.
    pub active: bool,
    /// Words in addition to the built-in ones. The tenant allows 200.
    pub custom: Vec<String>,
}

impl DictionaryOptions {
    /// Returns whether `password` as a whole, ignoring case, is one of the words.
    pub(super) fn rejects(&self, password: &str) -> bool {
        if !self.active {
            return false;
        }
        let lower = password.to_lowercase();
        COMMON.lines().any(|word| word == lower)
            || self.custom.iter().any(|word| word.to_lowercase() == lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_as_a_whole_and_ignore_case() {
        let dictionary = DictionaryOptions { active: true, custom: vec!["Acme2026!".to_owned()] };
        assert!(dictionary.rejects("PassWord1"));
        assert!(dictionary.rejects("ACME2026!"));
        assert!(!dictionary.rejects("xPassword1"));
    }

    #[test]
    fn an_inactive_dictionary_rejects_nothing() {
        assert!(!DictionaryOptions::default().rejects("password"));
    }

    #[test]
    fn the_built_in_words_are_lower_case() {
        assert!(COMMON.lines().all(|word| word == word.to_lowercase() && !word.is_empty()));
    }
}
