//! An error with all that caused it, in one field of the log.

use std::error::Error;

/// The error and its sources, outermost first, separated by colons.
///
/// One field: JSON events show an error's own words only, and the cause is what an operator needs.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn causes_follow_what_they_caused() {
        let error = "x".parse::<u8>().map_err(Outer).unwrap_err();
        assert_eq!(chain(&error), "outer: invalid digit found in string");
    }
}
