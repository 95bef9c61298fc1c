//! `auth0-signup config show`: every key with its value and origin. Secrets are redacted.

use std::fmt::Write as _;

use super::layers::Layers;
use super::setting::Origin;
use super::variables::SECRETS;

/// Returns the merged settings as text, one line per key.
pub fn show(layers: &Layers) -> String {
    let mut text = String::new();
    for (key, setting) in layers.values() {
        let origin = match &setting.origin {
            Origin::Default => "default".to_owned(),
            origin => origin.describe(key),
        };
        let value = if SECRETS.contains(&key) && !setting.is_blank() {
            "[redacted]".to_owned()
        } else {
            setting.value.to_string()
        };
        let value = redact_credentials(&value);
        // Writing to a string cannot fail.
        let _unfailing = writeln!(text, "{key} = {value}  # {origin}");
    }
    text
}

/// Replaces the user and the password in addresses, which no setting but a secret may have.
fn redact_credentials(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority = after.find(['/', '"', ' ']).unwrap_or(after.len());
        rest = match after.get(..authority).and_then(|authority| authority.rfind('@')) {
            Some(at) => {
                shown.push_str("[redacted]");
                after.get(at..).unwrap_or_default()
            }
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_credentials() {
        for (text, shown) in [
            ("\"tenant.eu.auth0.com\"", "\"tenant.eu.auth0.com\""),
            ("\"https://user:pass@host/a@b\"", "\"https://[redacted]@host/a@b\""),
            ("[\"https://a\", \"x://u@b\"]", "[\"https://a\", \"x://[redacted]@b\"]"),
            ("://@", "://[redacted]@"),
        ] {
            assert_eq!(redact_credentials(text), shown);
        }
    }
}
