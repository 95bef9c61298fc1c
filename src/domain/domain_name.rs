//! A domain name in canonical form, A-labels in lower case, so that equal names compare as equal.

/// A domain name in A-labels: `xn--bcher-kva.example` for `Bücher.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Parses a name from the settings: `example.com`, `mail.example.com`, `bücher.example`, `zip`.
    /// Rejects wildcards, e-mail addresses and URLs.
    pub fn parse(text: &str) -> Option<Self> {
        let name = idna::domain_to_ascii_strict(text).ok()?;
        (!name.is_empty() && !name.ends_with('.')).then_some(Self(name))
    }

    /// Converts the domain of an e-mail address; `None` if it has no A-label form. Such a domain
    /// cannot be compared: a mail server may ignore the character that makes it invalid.
    pub fn from_mail_domain(domain: &str) -> Option<Self> {
        idna::domain_to_ascii(domain).ok().map(Self)
    }

    /// Yields the name and all its parent domains: `a.b.example`, `b.example`, `example`.
    pub fn with_parents(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |name| Some(name.split_once('.')?.1))
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for DomainName {
    /// Hashes and compares like the text.
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_name_have_one_form() {
        let forms =
            ["Bücher.Example", "bücher.example", "xn--bcher-kva.example", "BÜCHER。example"];
        for form in forms {
            let name = DomainName::from_mail_domain(form).unwrap();
            assert_eq!(name.as_ref(), "xn--bcher-kva.example", "{form}");
        }
        assert_eq!(
            DomainName::parse("Bücher.example"),
            DomainName::from_mail_domain("bücher.example")
        );
    }

    #[test]
    fn a_domain_without_an_a_label_form_cannot_be_compared() {
        assert_eq!(DomainName::from_mail_domain("Ev\u{200d}il.net"), None);
    }

    #[test]
    fn text_that_is_no_name_is_rejected() {
        for text in ["", ".", "*.example.com", "@example.com", "a@example.com", "a b.com", "a..b"] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
        for text in ["https://example.com", "example.com/", "example.com.", ".example.com"] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_ending_of_a_name_is_a_parent() {
        let name = DomainName::parse("a.b.example").unwrap();
        assert_eq!(
            name.with_parents().collect::<Vec<_>>(),
            ["a.b.example", "b.example", "example"]
        );
    }
}
