//! Common passwords: a short list of the emulator's own, and the tenant's words.

use serde::{Deserialize, Serialize};

/// The words of the built-in list, one a line. The tenant's has ten thousand; a test needs few.
const COMMON: &str = include_str!("common.txt");

/// The dictionary setting of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dictionary {
    /// Whether the dictionary is on.
    pub active: bool,
    /// Words beside the built-in ones; the tenant allows 200.
    pub custom: Vec<String>,
}

impl Dictionary {
    /// Whether `password` is, as a whole and in any case, one of the words.
    pub(super) fn refuses(&self, password: &str) -> bool {
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
        let dictionary = Dictionary { active: true, custom: vec!["Acme2026!".to_owned()] };
        assert!(dictionary.refuses("PassWord1"));
        assert!(dictionary.refuses("ACME2026!"));
        assert!(!dictionary.refuses("xPassword1"));
    }

    #[test]
    fn an_inactive_dictionary_refuses_nothing() {
        assert!(!Dictionary::default().refuses("password"));
    }

    #[test]
    fn the_built_in_words_are_lower_case() {
        assert!(COMMON.lines().all(|word| word == word.to_lowercase() && !word.is_empty()));
    }
}
