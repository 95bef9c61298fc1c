//! Common passwords: a short list of the emulator's own, and the tenant's words.

use serde::{Deserialize, Serialize};

/// The words of the built-in list, one a line. The tenant's has ten thousand; a test needs few.
const COMMON: &str = include_str!("common.txt");

/// The dictionary setting of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DictionaryOptions {
    /// Whether the dictionary is on.
    pub active: bool,
    /// Words beside the built-in ones; the tenant allows 200.
    pub custom: Vec<String>,
}

impl DictionaryOptions {
    /// Whether `password` is, as a whole and in any case, one of the words.
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
    fn words_count_as_a_whole_and_in_any_case() {
        let dictionary = DictionaryOptions { active: true, custom: vec!["Acme2026!".to_owned()] };
        assert!(dictionary.rejects("PassWord1"));
        assert!(dictionary.rejects("ACME2026!"));
        assert!(!dictionary.rejects("xPassword1"));
    }

    #[test]
    fn an_inactive_dictionary_refuses_nothing() {
        assert!(!DictionaryOptions::default().rejects("password"));
    }

    #[test]
    fn the_built_in_words_are_lower_case() {
        assert!(COMMON.lines().all(|word| word == word.to_lowercase() && !word.is_empty()));
    }
}
