//! A domain name in the form in which two that are the same are equal: A-labels in lower case.

/// A domain name in A-labels: `xn--bcher-kva.example` for `Bücher.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// A name that an operator writes: `example.com`, `mail.example.com`, `bücher.example`, `zip`.
    /// `None` for what is no name: a wildcard, an address, a URL.
    pub fn parse(text: &str) -> Option<Self> {
        let name = idna::domain_to_ascii_strict(text).ok()?;
        (!name.is_empty() && !name.ends_with('.')).then_some(Self(name))
    }

    /// The domain of an e-mail address, whatever it looks like. One that cannot be written in
    /// A-labels, to which no mail can be sent, stays as it is.
    pub fn of_email(domain: &str) -> Self {
        Self(idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase()))
    }

    /// The name, and each that it lies below: `a.b.example`, `b.example`, `example`.
    pub fn and_above(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |name| Some(name.split_once('.')?.1))
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for DomainName {
    /// Hashes and compares as its text does.
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_has_one_form() {
        let forms =
            ["Bücher.Example", "bücher.example", "xn--bcher-kva.example", "BÜCHER。example"];
        for form in forms {
            assert_eq!(DomainName::of_email(form).as_ref(), "xn--bcher-kva.example", "{form}");
        }
        assert_eq!(
            DomainName::parse("Bücher.example"),
            Some(DomainName::of_email("bücher.example"))
        );
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in ["", ".", "*.example.com", "@example.com", "a@example.com", "a b.com", "a..b"] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
        for text in ["https://example.com", "example.com/", "example.com.", ".example.com"] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_lies_below_each_of_its_endings() {
        let name = DomainName::of_email("a.b.example");
        assert_eq!(name.and_above().collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
    }
}
