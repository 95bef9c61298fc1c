//! The value of one field or control field.

use std::borrow::Cow;
use std::fmt;

use crate::domain::invisible::trim;

/// The value of a field. `Debug` shows the kind and never the text.
#[derive(Default)]
pub enum FieldValue<'a> {
    /// Not given, or null.
    #[default]
    Absent,
    /// A string, given once. Not trimmed.
    Text(Cow<'a, str>),
    /// Given twice or with a wrong type. The error is already recorded, and no other rule applies.
    Invalid,
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Text(_) => "Text",
            Self::Invalid => "Invalid",
        })
    }
}

impl FieldValue<'_> {
    /// The text without white space and invisible characters around it, unless nothing is left.
    pub fn trimmed(&self) -> Option<&str> {
        match self {
            Self::Text(text) => trim(text),
            Self::Absent | Self::Invalid => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_alone_is_no_text() {
        assert_eq!(FieldValue::Text(" true\n".into()).trimmed(), Some("true"));
        assert_eq!(FieldValue::Text(" \u{200b} ".into()).trimmed(), None);
        assert_eq!(FieldValue::Absent.trimmed(), None);
    }
}
