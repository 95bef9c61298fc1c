//! The operator's rules for e-mail addresses, beyond Auth0's own.

use std::collections::HashSet;

use super::{DomainName, EmailAddress, Violation};

/// The accepted e-mail addresses.
#[derive(Debug, Default)]
pub struct EmailRules {
    /// Accepted domains, each with its subdomains; empty: all.
    pub allow: HashSet<DomainName>,
    /// Rejected domains, each with its subdomains. Takes precedence over `allow`.
    pub deny: HashSet<DomainName>,
    /// Rejects addresses with a tag (`ada+tag@example.com`).
    pub reject_plus_tag: bool,
}

impl EmailRules {
    /// Returns whether any address could be rejected.
    pub fn is_on(&self) -> bool {
        self.reject_plus_tag || !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// Checks that the address is accepted.
    ///
    /// # Errors
    /// [`Violation::DomainNotAllowed`] for its domain, [`Violation::NotAllowed`] for a tag.
    pub fn check(&self, email: &EmailAddress) -> Result<(), Violation> {
        if !self.allow.is_empty() || !self.deny.is_empty() {
            // A domain that cannot be compared is in no list, and might be one that is denied.
            let domain = DomainName::from_mail_domain(email.domain());
            let domain = domain.ok_or(Violation::DomainNotAllowed)?;
            let is_in =
                |list: &HashSet<DomainName>| domain.with_parents().any(|name| list.contains(name));
            if is_in(&self.deny) || !(self.allow.is_empty() || is_in(&self.allow)) {
                return Err(Violation::DomainNotAllowed);
            }
        }
        // Quotation marks hide no tag: the mailbox is the same.
        if self.reject_plus_tag && email.local_part().contains('+') {
            return Err(Violation::NotAllowed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> EmailRules {
        let set =
            |names: &[&str]| names.iter().map(|name| DomainName::parse(name).unwrap()).collect();
        EmailRules { allow: set(allow), deny: set(deny), reject_plus_tag: false }
    }

    fn check(rules: &EmailRules, email: &str) -> Result<(), Violation> {
        rules.check(&EmailAddress::parse(email).unwrap())
    }

    #[test]
    fn a_denied_domain_is_denied_with_its_subdomains_only() {
        let rules = rules(&[], &["evil.net"]);
        for denied in ["a@evil.net", "a@EVIL.net", "a@mail.evil.net", "a@x.y.evil.net"] {
            assert_eq!(check(&rules, denied), Err(Violation::DomainNotAllowed), "{denied}");
        }
        for accepted in ["a@notevil.net", "a@evil.net.example.com", "a@evil.com", "a@net.example"] {
            assert_eq!(check(&rules, accepted), Ok(()), "{accepted}");
        }
    }

    #[test]
    fn only_allowed_domains_are_accepted_and_denial_wins() {
        let rules = rules(&["example.com"], &["bad.example.com"]);
        assert_eq!(check(&rules, "a@example.com"), Ok(()));
        assert_eq!(check(&rules, "a@mail.example.com"), Ok(()));
        for rejected in ["a@bad.example.com", "a@x.bad.example.com", "a@notexample.com", "a@x.com"]
        {
            assert_eq!(check(&rules, rejected), Err(Violation::DomainNotAllowed), "{rejected}");
        }
    }

    #[test]
    fn both_spellings_of_an_international_domain_match() {
        let rules = rules(&[], &["bücher.example"]);
        for denied in ["a@Bücher.example", "a@xn--bcher-kva.example", "a@post.bücher.example"] {
            assert_eq!(check(&rules, denied), Err(Violation::DomainNotAllowed), "{denied}");
        }
    }

    #[test]
    fn a_domain_that_cannot_be_compared_is_rejected_where_a_list_is_set() {
        let hidden = [
            "a@ev\u{200d}il.net",
            "a@ev\u{200c}il.net",
            "a@evil\u{200d}.net",
            "a@mail.ev\u{200d}il.net",
            "a@xn--a.evil.net",
            "a@evil.net\u{200d}",
            "a@\u{5d0}1a.evil.net",
        ];
        for list in [rules(&[], &["evil.net"]), rules(&["evil.net"], &[]), rules(&[], &["x.org"])] {
            for email in hidden {
                assert_eq!(check(&list, email), Err(Violation::DomainNotAllowed), "{email}");
            }
        }
        for email in hidden {
            assert_eq!(check(&EmailRules::default(), email), Ok(()), "{email}");
        }
        // A soft hyphen is dropped by the conversion.
        let denied = rules(&[], &["evil.net"]);
        assert_eq!(check(&denied, "a@ev\u{ad}il.net"), Err(Violation::DomainNotAllowed));
        assert_eq!(check(&denied, "a@ev\u{ad}ille.net"), Ok(()));
    }

    #[test]
    fn a_tag_is_rejected_by_setting() {
        let rules = EmailRules { reject_plus_tag: true, ..EmailRules::default() };
        for tagged in
            ["ada+tag@example.com", "\"ada+tag\"@example.com", "\"ada\\+tag\"@example.com"]
        {
            assert_eq!(check(&rules, tagged), Err(Violation::NotAllowed), "{tagged}");
        }
        assert_eq!(check(&rules, "ada@example.com"), Ok(()));
        assert_eq!(check(&EmailRules::default(), "ada+tag@example.com"), Ok(()));
    }
}
