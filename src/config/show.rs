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
        // Writing to a string cannot fail.
        let _unfailing = writeln!(text, "{key} = {value}  # {origin}");
    }
    text
}
