//! `auth0-signup config schema`: the settings file as JSON Schema, for editors.
//!
//! Made of what is there: the keys, defaults and comments of `config/default.toml`, and the ranges and
//! words that the readers of the settings ask for.

use std::collections::BTreeMap;

use config::{ConfigError, Value as Setting, ValueKind};
use serde_json::{Map, Value, json};

use super::error::ConfigErrors;
use super::layers::{DEFAULTS, Layers, SECRETS};
use super::reader::{Expected, Reader};
use super::{Settings, metadata};
use crate::texts::Locale;

/// The schema (JSON Schema, 2020-12), as text.
///
/// # Errors
/// Only when the compiled-in defaults cannot be merged, which a test excludes.
pub fn schema() -> Result<String, ConfigError> {
    let defaults = Layers::read(None, [], &mut ConfigErrors::default())?;
    let (expected, comments) = (expected()?, comments());
    let mut root = table();
    for key in defaults.keys() {
        let Some(value) = defaults.value(key) else { continue };
        let mut told = member(&value, expected.get(key));
        if let Some(text) = comments.get(key) {
            told.insert("description".to_owned(), text.as_str().into());
        }
        if SECRETS.contains(&key) {
            told.insert("writeOnly".to_owned(), true.into());
        }
        put(&mut root, key, told);
    }
    for (key, members) in open_tables() {
        put(&mut root, key, object(json!({ "type": "object", "additionalProperties": members })));
    }
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), "The settings of auth0-signup".into());
    Ok(format!("{:#}\n", Value::Object(root)))
}

/// What the readers ask for. A captcha is configured for it, or nobody would ask for its keys.
fn expected() -> Result<BTreeMap<String, Expected>, ConfigError> {
    let captcha = ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER".into(), "turnstile".into());
    let layers = Layers::read(None, [captcha], &mut ConfigErrors::default())?;
    let mut reader = Reader::new(&layers, ConfigErrors::default());
    // Without a tenant there are no settings, but every key was asked for.
    drop(Settings::read_with(&mut reader));
    Ok(reader.into_expected())
}

/// The tables whose members the operator names, and what a member is.
fn open_tables() -> [(&'static str, Value); 3] {
    let words = Locale::ALL.map(|locale| (locale.tag().to_owned(), json!({ "type": "string" })));
    let languages = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": Map::from_iter(words),
    });
    let label = json!({ "anyOf": [{ "type": "string" }, languages] });
    let options = json!({ "type": "object", "additionalProperties": label.clone() });
    [("page.labels", label), ("page.options", options), (metadata::KEYS, metadata::schema())]
}

/// What a setting with this default takes.
fn member(default: &Setting, expected: Option<&Expected>) -> Map<String, Value> {
    let mut told = match (expected, &default.kind) {
        (Some(Expected::Integer(range)), _) => {
            json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
        }
        (Some(Expected::Choice(words)), ValueKind::String(default)) if default.is_empty() => {
            json!({ "enum": words.iter().map(String::as_str).chain([""]).collect::<Vec<_>>() })
        }
        (Some(Expected::Choice(words)), _) => json!({ "enum": words }),
        (None, ValueKind::Boolean(_)) => json!({ "type": "boolean" }),
        (None, ValueKind::I64(_)) => json!({ "type": "integer" }),
        (None, ValueKind::Array(_)) => {
            let list = json!({ "type": "array", "items": { "type": "string" } });
            // A list may also be one comma-separated string.
            json!({ "anyOf": [list, { "type": "string" }] })
        }
        (None, _) => json!({ "type": "string" }),
    };
    let default = match &default.kind {
        ValueKind::Boolean(default) => json!(default),
        ValueKind::I64(default) => json!(default),
        ValueKind::String(default) if !default.is_empty() => json!(default),
        ValueKind::Array(items) => {
            items.iter().filter_map(|item| item.clone().into_string().ok()).collect()
        }
        _ => Value::Null,
    };
    if let (Value::Object(told), false) = (&mut told, default.is_null()) {
        told.insert("default".to_owned(), default);
    }
    object(told)
}

/// A table that has no members but those that are put into it.
fn table() -> Map<String, Value> {
    object(json!({ "type": "object", "additionalProperties": false, "properties": {} }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Puts a member into the table that its dotted key names.
fn put(table_of: &mut Map<String, Value>, key: &str, member: Map<String, Value>) {
    let Some(Value::Object(properties)) = table_of.get_mut("properties") else { return };
    let Some((section, rest)) = key.split_once('.') else {
        properties.insert(key.to_owned(), member.into());
        return;
    };
    let inner = properties.entry(section).or_insert_with(|| table().into());
    if let Value::Object(inner) = inner {
        put(inner, rest, member);
    }
}

/// What `config/default.toml` says above each key; keys that follow one another share it.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut section, mut above) = (BTreeMap::new(), "", Vec::new());
    let mut is_open = false;
    for line in DEFAULTS.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            if !is_open {
                above.clear();
            }
            is_open = true;
            above.push(comment.trim());
            continue;
        }
        is_open = false;
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            above.clear();
        } else if line.is_empty() {
            above.clear();
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !above.is_empty()) {
            let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            found.insert(key, above.join(" "));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_type_and_what_is_said_of_it() {
        let layers = Layers::read(None, [], &mut ConfigErrors::default()).unwrap();
        let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
        let of = |key: &str| {
            key.split('.').fold(schema.clone(), |at, name| at["properties"][name].clone())
        };
        for key in layers.keys() {
            let told = of(key);
            let typed = ["type", "anyOf", "enum"].iter().any(|name| !told[name].is_null());
            assert!(typed && told["description"].is_string(), "{key}: {told}");
        }
        assert_eq!(of("http")["additionalProperties"], false);
        let port = of("http.port");
        assert_eq!((&port["minimum"], &port["maximum"]), (&json!(0), &json!(65535)));
        assert_eq!(port["default"], 8080);
        assert_eq!(of("existence")["enum"], json!(["reveal", "uniform"]));
        let provider = of("challenge.captcha.provider");
        let providers = ["turnstile", "hcaptcha", "recaptcha_v2", "recaptcha_v3", ""];
        assert_eq!(provider["enum"], json!(providers));
        assert_eq!(of("challenge.captcha.on_unavailable")["enum"], json!(["allow", "reject"]));
        let secret = of("auth0.client_secret");
        assert_eq!(secret["writeOnly"], true);
        assert!(secret["description"].as_str().unwrap().starts_with("Secret. Environment:"));
        let key = &of("user_metadata.keys")["additionalProperties"];
        assert_eq!(key["properties"]["type"]["enum"], json!(["string", "integer", "boolean"]));
        let label = &of("page.labels")["additionalProperties"]["anyOf"][1];
        assert_eq!(label["properties"]["de"]["type"], "string");
    }
}
