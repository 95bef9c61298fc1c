//! The terms that people accept: which they are, and what in a form says that they are accepted.
//!
//! Must not know where an acceptance is kept.

use std::sync::Arc;

use url::Url;

use super::Violation;
use super::submission::Slot;

/// Which terms they are: 1 to 64 visible ASCII characters, such as `2026-11`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsVersion(Arc<str>);

impl TermsVersion {
    /// The most characters.
    pub const MAX_LENGTH: usize = 64;

    /// The version of that name; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=Self::MAX_LENGTH).contains(&text.len())).then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The terms of a deployment.
#[derive(Debug)]
pub struct Terms {
    /// Which ones are in force.
    pub version: TermsVersion,
    /// Where they can be read.
    pub url: Url,
    /// Whether a sign-up that does not accept them is refused.
    pub required: bool,
}

impl Terms {
    /// The version that is accepted with this field, which says yes or which version it means; `None`
    /// where nothing is and nothing has to be.
    ///
    /// # Errors
    ///
    /// [`Violation::TermsRequired`], also where it means another version: what the person saw is no
    /// longer what they would be said to have accepted.
    pub(super) fn accepted(&self, given: &Slot<'_>) -> Result<Option<TermsVersion>, Violation> {
        match says_yes(given) {
            Some(true) => Ok(Some(self.version.clone())),
            // What is wrong with it is reported already.
            Some(false) if self.required && !matches!(given, Slot::Faulty) => {
                Err(Violation::TermsRequired)
            }
            Some(false) => Ok(None),
            None if given.trimmed() == Some(self.version.as_str()) => {
                Ok(Some(self.version.clone()))
            }
            None => Err(Violation::TermsRequired),
        }
    }
}

/// Whether the field says yes, in the words that forms and programs have for it; `None` when it says
/// neither yes nor no.
pub fn says_yes(given: &Slot<'_>) -> Option<bool> {
    match given.trimmed() {
        Some("true" | "on" | "1" | "yes") => Some(true),
        None | Some("false" | "off" | "0" | "no") => Some(false),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_short_and_visible() {
        for text in ["1", "2026-11", "terms/v3", &"x".repeat(64)] {
            assert_eq!(TermsVersion::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "v 3", "§3", "v3\n", &"x".repeat(65)] {
            assert_eq!(TermsVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn yes_and_no_are_said_in_the_words_of_forms_and_of_programs() {
        let says = |text: &'static str| says_yes(&Slot::Text(text.into()));
        for yes in ["true", "on", "1", "yes", " true\n"] {
            assert_eq!(says(yes), Some(true), "{yes}");
        }
        for no in ["false", "off", "0", "no", "", "  "] {
            assert_eq!(says(no), Some(false), "{no}");
        }
        assert_eq!(says_yes(&Slot::Absent), Some(false));
        for neither in ["TRUE", "2026-11", "accepted"] {
            assert_eq!(says(neither), None, "{neither}");
        }
    }

    #[test]
    fn a_version_is_accepted_by_its_name_and_no_other_one_is() {
        let url = Url::parse("https://example.com/terms").unwrap();
        for required in [true, false] {
            let version = TermsVersion::parse("v2").unwrap();
            let terms = Terms { version, url: url.clone(), required };
            let accepted = |text: &'static str| {
                let accepted = terms.accepted(&Slot::Text(text.into()));
                accepted.map(|version| version.map(|version| version.as_str().to_owned()))
            };
            assert_eq!(accepted("v2"), Ok(Some("v2".to_owned())));
            assert_eq!(accepted("true"), Ok(Some("v2".to_owned())));
            // A form that was opened under the terms of before.
            assert_eq!(accepted("v1"), Err(Violation::TermsRequired));
        }
    }
}
