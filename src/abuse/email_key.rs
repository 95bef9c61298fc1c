//! The key of an e-mail address in the limits: the same for all spellings of a mailbox.

use crate::config::EmailKeySettings;
use crate::domain::{DomainName, EmailAddress};

/// The domains that name the mailboxes of another one (Google's help, "Get emails sent to googlemail.com").
const SAME_MAILBOXES: [(&str, &str); 1] = [("googlemail.com", "gmail.com")];

/// The address without the parts that its provider most likely ignores, so that a thousand
/// spellings of one mailbox share a bucket.
pub(super) fn normalize_mailbox(email: &EmailAddress, settings: &EmailKeySettings) -> String {
    // A domain that has no A-label form stays as it is, in lower case.
    let name = DomainName::from_mail_domain(email.domain());
    let written = name.as_ref().map_or(email.domain(), DomainName::as_ref);
    let domain = mailbox_domain(written);
    let local = email.unquoted_local_part();
    // A local part that is only a tag stays as it is.
    let mailbox = match local.split_once('+') {
        Some((mailbox, _)) if settings.ignore_plus_tag && !mailbox.is_empty() => mailbox,
        _ => &*local,
    };
    let ignore_dots =
        settings.ignore_dots.iter().any(|known| mailbox_domain(known.as_ref()) == domain);
    let mut key = String::with_capacity(email.as_ref().len());
    key.extend(mailbox.chars().filter(|character| !(ignore_dots && *character == '.')));
    key.push('@');
    key.push_str(domain);
    key
}

/// The domain that names the mailboxes of this one: itself, unless it is an alias.
fn mailbox_domain(domain: &str) -> &str {
    let same = SAME_MAILBOXES.iter().find(|(alias, _)| *alias == domain);
    same.map_or(domain, |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(email: &str) -> String {
        let settings = EmailKeySettings {
            ignore_plus_tag: true,
            ignore_dots: vec![DomainName::parse("gmail.com").unwrap()],
        };
        normalize_mailbox(&EmailAddress::parse(email).unwrap(), &settings)
    }

    #[test]
    fn case_tags_and_meaningless_dots_are_ignored() {
        for variant in [
            "Ada.Lovelace+x@Gmail.com",
            "adalovelace@gmail.com",
            "a.dalovelace+y+z@gmail.com",
            "ada.lovelace@googlemail.com",
            r#""ada.lovelace+x"@gmail.com"#,
            r#""a\da\.lovelace\+x"@gmail.com"#,
        ] {
            assert_eq!(normalized(variant), "adalovelace@gmail.com", "{variant}");
        }
        assert_eq!(normalized("ada.lovelace+x@example.com"), "ada.lovelace@example.com");
        assert_eq!(normalized("ada@bücher.example"), normalized("ada@xn--bcher-kva.example"));
    }

    #[test]
    fn either_name_of_a_mailbox_domain_can_be_in_the_setting() {
        let ignore_dots = vec![DomainName::parse("googlemail.com").unwrap()];
        let settings = EmailKeySettings { ignore_plus_tag: true, ignore_dots };
        for written in ["a.d.a@gmail.com", "a.d.a@googlemail.com"] {
            let email = EmailAddress::parse(written).unwrap();
            assert_eq!(normalize_mailbox(&email, &settings), "ada@gmail.com", "{written}");
        }
    }

    #[test]
    fn a_domain_without_an_a_label_form_is_only_lower_cased() {
        assert_eq!(normalized("ada@Ev\u{200d}il.net"), "ada@ev\u{200d}il.net");
    }

    #[test]
    fn a_tag_alone_stays() {
        assert_eq!(normalized("+tag@example.com"), "+tag@example.com");
    }

    #[test]
    fn each_rule_can_be_turned_off() {
        let settings = EmailKeySettings { ignore_plus_tag: false, ignore_dots: Vec::new() };
        let email = EmailAddress::parse("a.b+c@gmail.com").unwrap();
        assert_eq!(normalize_mailbox(&email, &settings), "a.b+c@gmail.com");
    }
}
