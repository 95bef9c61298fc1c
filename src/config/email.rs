//! `[email]`: the accepted e-mail addresses.

use std::collections::HashSet;

use super::reader::Reader;
use crate::domain::{DomainName, EmailRules};

pub(super) fn read(reader: &mut Reader<'_>) -> EmailRules {
    let allow = domains(reader, "email.allow_domains");
    let deny = domains(reader, "email.deny_domains");
    if allow.intersection(&deny).next().is_some() {
        reader.reject("email.deny_domains", "no domain that is in email.allow_domains");
    }
    let plus = reader.choice("email.plus", &[("allow", false), ("reject", true)]);
    EmailRules { allow, deny, reject_plus_tag: plus.unwrap_or(false) }
}

fn domains(reader: &mut Reader<'_>, key: &str) -> HashSet<DomainName> {
    let mut domains = HashSet::new();
    for text in reader.list(key) {
        match DomainName::parse(&text) {
            Some(domain) => drop(domains.insert(domain)),
            None => reader.reject(key, "domains such as example.com (no wildcard, no @)"),
        }
    }
    domains
}
