//! Which e-mail addresses a deployment takes, of those that Auth0 would.

use std::collections::HashSet;

use super::{DomainName, EmailAddress, Violation};

/// Which e-mail addresses are taken.
#[derive(Debug, Default)]
pub struct EmailRules {
    /// Domains that are taken, each with all below it; empty: all.
    pub allow: HashSet<DomainName>,
    /// Domains that are not taken, each with all below it, even where `allow` names them.
    pub deny: HashSet<DomainName>,
    /// Whether addresses with a tag (`ada+tag@example.com`) are refused.
    pub refuse_plus: bool,
}

impl EmailRules {
    /// Whether any address could be refused.
    pub fn is_on(&self) -> bool {
        self.refuse_plus || !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// Judges an address.
    ///
    /// # Errors
    /// [`Violation::DomainNotAllowed`] for its domain, [`Violation::NotAllowed`] for a tag.
    pub fn check(&self, email: EmailAddress) -> Result<EmailAddress, Violation> {
        if !self.allow.is_empty() || !self.deny.is_empty() {
            let domain = DomainName::of_email(email.domain());
            let is_in =
                |list: &HashSet<DomainName>| domain.and_above().any(|name| list.contains(name));
            if is_in(&self.deny) || !(self.allow.is_empty() || is_in(&self.allow)) {
                return Err(Violation::DomainNotAllowed);
            }
        }
        let local = email.local_part();
        if self.refuse_plus && local.contains('+') && !local.starts_with('"') {
            return Err(Violation::NotAllowed);
        }
        Ok(email)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> EmailRules {
        let set =
            |names: &[&str]| names.iter().map(|name| DomainName::parse(name).unwrap()).collect();
        EmailRules { allow: set(allow), deny: set(deny), refuse_plus: false }
    }

    fn check(rules: &EmailRules, email: &str) -> Result<(), Violation> {
        rules.check(EmailAddress::parse(email).unwrap()).map(drop)
    }

    #[test]
    fn a_denied_domain_is_denied_with_all_below_it_and_nothing_beside_it() {
        let rules = rules(&[], &["evil.net"]);
        for denied in ["a@evil.net", "a@EVIL.net", "a@mail.evil.net", "a@x.y.evil.net"] {
            assert_eq!(check(&rules, denied), Err(Violation::DomainNotAllowed), "{denied}");
        }
        for taken in ["a@notevil.net", "a@evil.net.example.com", "a@evil.com", "a@net.example"] {
            assert_eq!(check(&rules, taken), Ok(()), "{taken}");
        }
    }

    #[test]
    fn only_what_is_allowed_is_taken_and_denial_wins() {
        let rules = rules(&["example.com"], &["bad.example.com"]);
        assert_eq!(check(&rules, "a@example.com"), Ok(()));
        assert_eq!(check(&rules, "a@mail.example.com"), Ok(()));
        for refused in ["a@bad.example.com", "a@x.bad.example.com", "a@notexample.com", "a@x.com"] {
            assert_eq!(check(&rules, refused), Err(Violation::DomainNotAllowed), "{refused}");
        }
    }

    #[test]
    fn both_spellings_of_an_international_domain_are_one() {
        let rules = rules(&[], &["bücher.example"]);
        for denied in ["a@Bücher.example", "a@xn--bcher-kva.example", "a@post.bücher.example"] {
            assert_eq!(check(&rules, denied), Err(Violation::DomainNotAllowed), "{denied}");
        }
    }

    #[test]
    fn a_tag_is_refused_by_setting() {
        let rules = EmailRules { refuse_plus: true, ..EmailRules::default() };
        assert_eq!(check(&rules, "ada+tag@example.com"), Err(Violation::NotAllowed));
        assert_eq!(check(&rules, "ada@example.com"), Ok(()));
        assert_eq!(check(&EmailRules::default(), "ada+tag@example.com"), Ok(()));
    }
}
