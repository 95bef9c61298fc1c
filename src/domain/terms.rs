//! The terms that people accept, and the values of a form that accept them.
//!
//! Must not know where an acceptance is stored.

use std::sync::Arc;

use url::Url;

use super::{Violation, parse_boolean};

/// The version of the terms: 1 to 64 visible ASCII characters, such as `2026-11`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsVersion(Arc<str>);

impl TermsVersion {
    /// The maximum number of characters.
    pub const MAX_LENGTH: usize = 64;

    /// Parses the name of a version.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=Self::MAX_LENGTH).contains(&text.len())).then(|| Self(text.into()))
    }

    /// The name of the version.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The terms of a deployment.
#[derive(Debug)]
pub struct Terms {
    /// The version in force.
    pub version: TermsVersion,
    /// The URL at which they can be read.
    pub url: Url,
    /// Rejects a sign-up that does not accept them.
    pub required: bool,
}

impl Terms {
    /// Returns the version that this value of the field accepts, by saying yes or by naming the
    /// version. Returns `None` if the terms are neither accepted nor required.
    ///
    /// # Errors
    ///
    /// [`Violation::TermsRequired`], and [`Violation::TermsChanged`] if the value names another version:
    /// the terms that the person saw are no longer the ones that would be recorded as accepted.
    pub fn accepted_version(&self, value: Option<&str>) -> Result<Option<TermsVersion>, Violation> {
        match parse_consent(value) {
            Some(true) => Ok(Some(self.version.clone())),
            Some(false) if self.required => Err(Violation::TermsRequired),
            Some(false) => Ok(None),
            None if value == Some(self.version.as_str()) => Ok(Some(self.version.clone())),
            None => Err(Violation::TermsChanged),
        }
    }
}

/// Reads a yes or no, in the words that forms and programs use. An absent value means no. Returns
/// `None` for any other text.
pub fn parse_consent(value: Option<&str>) -> Option<bool> {
    value.map_or(Some(false), parse_boolean)
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
    fn only_the_version_in_force_is_accepted_by_name() {
        let url = Url::parse("https://example.com/terms").unwrap();
        for required in [true, false] {
            let version = TermsVersion::parse("v2").unwrap();
            let terms = Terms { version, url: url.clone(), required };
            let accepted = |text| {
                let accepted = terms.accepted_version(Some(text));
                accepted.map(|version| version.map(|version| version.as_str().to_owned()))
            };
            assert_eq!(accepted("v2"), Ok(Some("v2".to_owned())));
            assert_eq!(accepted("true"), Ok(Some("v2".to_owned())));
            // A form that was opened under the previous terms.
            assert_eq!(accepted("v1"), Err(Violation::TermsChanged));
            let not_accepted = if required { Err(Violation::TermsRequired) } else { Ok(None) };
            assert_eq!(accepted("no"), not_accepted);
            assert_eq!(terms.accepted_version(None).is_err(), required);
        }
    }
}
