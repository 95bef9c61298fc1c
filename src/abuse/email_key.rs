//! Which e-mail addresses are one mailbox, as far as limits go.

use crate::config::EmailKeySettings;
use crate::domain::{DomainName, EmailAddress};

/// The address without what its provider most likely ignores: one who writes it in a thousand ways
/// still has one bucket.
pub(super) fn folded(email: &EmailAddress, settings: &EmailKeySettings) -> String {
    let domain = DomainName::from_email(email.domain());
    let (local, domain) = (email.local_part(), domain.as_ref());
    let quoted = local.starts_with('"');
    // A tag alone, or dots alone, are no mailbox: such an address stays as it is.
    let kept = match local.split_once('+') {
        Some((mailbox, _)) if settings.ignore_plus_tag && !quoted && !mailbox.is_empty() => mailbox,
        _ => local,
    };
    let dotless = !quoted && settings.ignore_dots.iter().any(|known| known.as_ref() == domain);
    let mut key = String::with_capacity(email.as_ref().len());
    key.extend(kept.chars().filter(|character| !(dotless && *character == '.')));
    key.push('@');
    key.push_str(domain);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(email: &str) -> String {
        let settings = EmailKeySettings {
            ignore_plus_tag: true,
            ignore_dots: vec![DomainName::from_email("gmail.com")],
        };
        folded(&EmailAddress::parse(email).unwrap(), &settings)
    }

    #[test]
    fn case_tags_and_dots_that_mean_nothing_are_folded() {
        for variant in
            ["Ada.Lovelace+x@Gmail.com", "adalovelace@gmail.com", "a.dalovelace+y+z@gmail.com"]
        {
            assert_eq!(fold(variant), "adalovelace@gmail.com", "{variant}");
        }
        assert_eq!(fold("ada.lovelace+x@example.com"), "ada.lovelace@example.com");
        assert_eq!(fold("ada@bücher.example"), fold("ada@xn--bcher-kva.example"));
    }

    #[test]
    fn what_is_left_is_never_nothing() {
        assert_eq!(fold("+tag@example.com"), "+tag@example.com");
        assert_eq!(fold("\"a+b.c\"@gmail.com"), "\"a+b.c\"@gmail.com");
    }

    #[test]
    fn folding_is_a_setting() {
        let settings = EmailKeySettings { ignore_plus_tag: false, ignore_dots: Vec::new() };
        let email = EmailAddress::parse("a.b+c@gmail.com").unwrap();
        assert_eq!(folded(&email, &settings), "a.b+c@gmail.com");
    }
}
