//! Common passwords: Auth0's default dictionary and the operator's own words.
//!
//! Owns the list (the README beside it names its source) and the comparison, which covers the whole
//! password and ignores case. Must not know the rest of the policy.
//!
//! The list is one sorted text inside the binary, searched by bisection. It needs no index, so it
//! costs neither memory nor startup time. Its pages are not even read unless a policy uses it.

use std::cmp::Ordering;

use super::lower_case;
use super::settings::{DictionarySettings, DictionarySize, PolicyError};

/// `en_10k`: distinct words in lower case, sorted by byte, one per line.
const COMMON: &str = include_str!("common-10k.txt");

/// The maximum number of the operator's own words (`password_options.dictionary.custom`).
const MAX_WORDS: usize = 200;

/// The maximum length of such a word in characters.
const MAX_WORD_LENGTH: usize = 50;

/// The words that are rejected as passwords.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The operator's own words, lower-cased and sorted.
    pub(super) words: Vec<String>,
}

impl Dictionary {
    /// Builds the dictionary. The caller has checked that it is active.
    pub(super) fn new(settings: &DictionarySettings) -> Result<Self, PolicyError> {
        if settings.size == DictionarySize::En100k {
            return Err(PolicyError::DictionaryUnavailable);
        }
        if settings.custom.len() > MAX_WORDS {
            return Err(PolicyError::TooManyWords);
        }
        let fits = |word: &String| (1..=MAX_WORD_LENGTH).contains(&word.chars().count());
        if let Some(index) = settings.custom.iter().position(|word| !fits(word)) {
            return Err(PolicyError::WordLength { position: index + 1 });
        }
        let mut words: Vec<String> =
            settings.custom.iter().map(|word| lower_case(word).collect()).collect();
        words.sort_unstable();
        Ok(Self { words })
    }

    /// The words of the published dictionary with at least this many characters, one per line. The
    /// operator's own words are not among them.
    pub(super) fn published(min_length: usize) -> impl Iterator<Item = &'static str> {
        COMMON.lines().filter(move |word| word.len() >= min_length)
    }

    /// Returns whether the password is one of the words.
    pub(super) fn contains(&self, password: &str) -> bool {
        is_common(password) || self.words.binary_search_by(|word| compare(word, password)).is_ok()
    }
}

/// Returns whether the password is in Auth0's default dictionary.
fn is_common(password: &str) -> bool {
    let mut list = COMMON;
    while !list.is_empty() {
        let (before_middle, _) = list.split_at(list.len() / 2);
        let line_start = before_middle.rfind('\n').map_or(0, |line_end| line_end + 1);
        let (smaller, rest) = list.split_at(line_start);
        let (word, greater) = rest.split_once('\n').unwrap_or((rest, ""));
        list = match compare(word, password) {
            Ordering::Less => greater,
            Ordering::Equal => return true,
            Ordering::Greater => smaller,
        };
    }
    false
}

/// Orders a lower-case word against a password of any case.
fn compare(word: &str, password: &str) -> Ordering {
    word.chars().cmp(lower_case(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_bisection() {
        assert!(COMMON.bytes().all(|byte| byte == b'\n' || byte.is_ascii_graphic()));
        assert!(!COMMON.bytes().any(|byte| byte.is_ascii_uppercase()));
        let words: Vec<_> = COMMON.lines().collect();
        assert_eq!(words.len(), 10_000);
        assert!(words.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn every_word_is_found_and_nothing_else() {
        for word in COMMON.lines() {
            assert!(is_common(word));
            assert!(is_common(&word.to_uppercase()));
            assert!(!is_common(&format!("{word}\n")));
            assert!(!is_common(&format!(" {word}")));
        }
        assert!(!is_common(""));
        assert!(!is_common("\u{10ffff}"));
    }

    #[test]
    fn own_words_match_whole_passwords_in_any_case() {
        let settings = DictionarySettings {
            active: true,
            custom: vec!["Zürich".to_owned(), "acme".to_owned()],
            ..DictionarySettings::default()
        };
        let dictionary = Dictionary::new(&settings).unwrap();
        assert!(dictionary.contains("ZÜRICH"));
        assert!(dictionary.contains("Acme"));
        assert!(!dictionary.contains("acme1"));
    }
}
