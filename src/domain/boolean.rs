//! Yes and no in the words that forms and programs use.

/// Parses a word for yes or no, in any case: `true`, `on`, `1`, `yes`; `false`, `off`, `0`, `no`.
pub fn parse_boolean(word: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is_one_of(["true", "on", "1", "yes"]) {
        Some(true)
    } else if is_one_of(["false", "off", "0", "no"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_frameworks_have_four_words_for_each() {
        for word in ["true", "on", "1", "yes", "True", "ON"] {
            assert_eq!(parse_boolean(word), Some(true), "{word}");
        }
        for word in ["false", "off", "0", "no", "False"] {
            assert_eq!(parse_boolean(word), Some(false), "{word}");
        }
        for word in ["", " true", "2", "y", "t", "ja"] {
            assert_eq!(parse_boolean(word), None, "{word}");
        }
    }
}
