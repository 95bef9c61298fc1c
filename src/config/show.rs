//! `auth0-signup config show`: every key with its value and origin. Secrets are redacted.

use std::fmt::Write as _;

use config::{Value, ValueKind};

use super::layers::Layers;
use super::variables::SECRETS;

/// Returns the merged settings as text, one line per key.
pub fn show(layers: &Layers) -> String {
    let mut text = String::new();
    for key in layers.keys() {
        let Some(value) = layers.value(key) else { continue };
        let origin = value.origin().unwrap_or("default").to_owned();
        let shown = match value.kind {
            ValueKind::String(text) if text.is_empty() => "\"\"".to_owned(),
            _ if SECRETS.contains(&key) => "[redacted]".to_owned(),
            _ => render(&value),
        };
        // Writing to a string cannot fail.
        let _unfailing = writeln!(text, "{key} = {shown}  # {origin}");
    }
    text
}

fn render(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(items) => {
            format!("[{}]", items.iter().map(render).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}
