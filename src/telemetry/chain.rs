//! An error and its causes, in one field of the log.

use std::error::Error;

/// The error and its sources, outermost first, separated by colons.
///
/// A JSON event shows only the message of an error itself, but an operator needs the cause.
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
    fn causes_follow_the_error() {
        let error = "x".parse::<u8>().map_err(Outer).unwrap_err();
        assert_eq!(chain(&error), "outer: invalid digit found in string");
    }
}
