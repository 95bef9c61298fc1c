//! `[email]`: the accepted e-mail addresses.

use std::collections::HashSet;

use super::reader::Reader;
use crate::domain::{DomainName, EmailRules};

pub(super) fn read(reader: &mut Reader<'_>) -> EmailRules {
    let mut domains = |key: &str| -> HashSet<DomainName> {
        let expected = "a domain such as example.com (no wildcard, no @)";
        reader.entries(key, expected, DomainName::parse).into_iter().collect()
    };
    let (allow, deny) = (domains("email.allow_domains"), domains("email.deny_domains"));
    if allow.intersection(&deny).next().is_some() {
        reader.reject("email.deny_domains", "no domain that is in email.allow_domains");
    }
    let plus = reader.choice("email.plus", &[("allow", false), ("reject", true)]);
    EmailRules { allow, deny, reject_plus_tag: plus.unwrap_or(false) }
}
