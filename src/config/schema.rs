//! `auth0-signup config schema`: the JSON Schema of the settings file, for editors.
//!
//! Built from the keys, defaults and comments of `config/default.toml`, and from the ranges and
//! choices that the readers of the sections expect.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::ConfigErrors;
use super::layers::{DEFAULTS, Layers};
use super::open_tables::open_table;
use super::reader::{Expected, Reader};
use super::setting::{Setting, SettingValue};
use super::variables::SECRETS;
use super::{Settings, links, metadata};
use crate::texts::Locale;

/// Returns the schema (JSON Schema 2020-12) as text.
pub fn schema() -> String {
    let defaults = Layers::read(None, [], &mut ConfigErrors::default());
    let (expected, comments) = (expected(&defaults), comments());
    let mut root = table();
    for key in defaults.keys() {
        let Some(value) = defaults.value(key) else { continue };
        let mut member = member_schema(&value.value, expected.get(key));
        if let Some(text) = comments.get(key) {
            member.insert("description".to_owned(), text.as_str().into());
        }
        if SECRETS.contains(&key) {
            member.insert("writeOnly".to_owned(), true.into());
        }
        put(&mut root, key, member);
    }
    for (key, members) in open_tables() {
        let mut table =
            object(json!({ "type": "object", "additionalProperties": members, "default": {} }));
        if let Some(text) = comments.get(key) {
            table.insert("description".to_owned(), text.as_str().into());
        }
        put(&mut root, key, table);
    }
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), "The settings of auth0-signup".into());
    format!("{:#}\n", Value::Object(root))
}

/// Returns the values that the readers expect of each key.
fn expected(defaults: &Layers) -> BTreeMap<String, Expected> {
    let mut reader = Reader::new(defaults, ConfigErrors::default());
    // Without a tenant this returns no settings, but it reads every key.
    drop(Settings::read_with(&mut reader));
    reader.into_expected()
}

/// The tables whose members the operator names, and the schema of a member.
fn open_tables() -> [(&'static str, Value); 5] {
    let texts = Locale::ALL.map(|locale| (locale.tag().to_owned(), json!({ "type": "string" })));
    let languages = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": Map::from_iter(texts),
    });
    let label = json!({ "anyOf": [{ "type": "string" }, languages] });
    let options = json!({ "type": "object", "additionalProperties": label.clone() });
    let link = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["label", "url"],
        "properties": { "label": label.clone(), "url": { "type": "string" } },
    });
    [
        ("page.labels", label),
        ("page.options", options),
        (links::PROVIDERS, link.clone()),
        (links::LINKS, link),
        (metadata::KEYS, metadata::schema()),
    ]
}

/// Returns the schema of a setting with this default.
fn member_schema(default: &SettingValue, expected: Option<&Expected>) -> Map<String, Value> {
    let mut schema = match (expected, default) {
        (Some(Expected::Integer(range)), _) => {
            json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
        }
        (Some(Expected::Choice(words)), SettingValue::Text(default)) if default.is_empty() => {
            json!({ "enum": words.iter().map(String::as_str).chain([""]).collect::<Vec<_>>() })
        }
        (Some(Expected::Choice(words)), SettingValue::List(_)) => list(&json!({ "enum": words })),
        (Some(Expected::Choice(words)), _) => json!({ "enum": words }),
        (None, SettingValue::Boolean(_)) => json!({ "type": "boolean" }),
        (None, SettingValue::Integer(_)) => json!({ "type": "integer" }),
        (None, SettingValue::List(_)) => list(&json!({ "type": "string" })),
        (None, _) => json!({ "type": "string" }),
    };
    let default = match default {
        SettingValue::Boolean(default) => json!(default),
        SettingValue::Integer(default) => json!(default),
        SettingValue::Text(default) => json!(default),
        SettingValue::List(entries) => entries.iter().filter_map(Setting::text).collect(),
        _ => Value::Null,
    };
    if let (Value::Object(members), false) = (&mut schema, default.is_null()) {
        members.insert("default".to_owned(), default);
    }
    object(schema)
}

/// Returns the schema of a list, which may also be one comma-separated string.
fn list(entry: &Value) -> Value {
    json!({ "anyOf": [{ "type": "array", "items": entry }, { "type": "string" }] })
}

/// Returns the schema of a table that accepts only the members added to it.
fn table() -> Map<String, Value> {
    object(json!({ "type": "object", "additionalProperties": false, "properties": {} }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Adds a member to the table that its dotted key names.
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

/// Returns the comment above each key of `config/default.toml`, and above the example of each table
/// whose members the operator names. Consecutive keys share a comment.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut section, mut above) = (BTreeMap::new(), "", Vec::new());
    let mut is_open = false;
    for line in DEFAULTS.lines() {
        if let Some(example) = line.strip_prefix("#   ") {
            let header = example.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
            if let Some((table, _)) = header.and_then(open_table) {
                found.insert(table.to_owned(), above.join(" "));
            }
            is_open = false;
            continue;
        }
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
    use crate::captcha_provider::CaptchaProvider;
    use crate::config::open_tables::OPEN_TABLES;

    #[test]
    fn every_key_has_a_type_and_a_description() {
        let layers = Layers::read(None, [], &mut ConfigErrors::default());
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let of = |key: &str| {
            key.split('.').fold(schema.clone(), |at, name| at["properties"][name].clone())
        };
        for key in layers.keys().chain(OPEN_TABLES) {
            let schema = of(key);
            assert!(!schema["default"].is_null(), "{key}: {schema}");
            let typed = ["type", "anyOf", "enum"].iter().any(|name| !schema[name].is_null());
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(typed && !description.is_empty(), "{key}: {schema}");
            assert!(description.len() < 600, "a blank line ends a comment: {key}: {description}");
        }
        assert_eq!(of("http")["additionalProperties"], false);
        let port = of("http.port");
        assert_eq!((&port["minimum"], &port["maximum"]), (&json!(0), &json!(65535)));
        assert_eq!(port["default"], 8080);
        assert_eq!(of("existence")["enum"], json!(["reveal", "uniform"]));
        let provider = of("challenge.captcha.provider");
        let names = CaptchaProvider::ALL.map(|provider| provider.name);
        let described = provider["description"].as_str().unwrap();
        assert!(names.iter().all(|name| described.contains(name)), "{described}");
        assert_eq!(provider["enum"], json!([names.as_slice(), &[""]].concat()));
        assert_eq!(of("challenge.captcha.on_unavailable")["enum"], json!(["allow", "reject"]));
        let exempt = of("limits.exempt");
        assert!(exempt["description"].as_str().unwrap().starts_with("Networks"), "{exempt}");
        let secret = of("auth0.client_secret");
        assert_eq!(secret["writeOnly"], true);
        assert!(secret["description"].as_str().unwrap().starts_with("Secret. Environment:"));
        let key = &of("user_metadata.keys")["additionalProperties"];
        assert_eq!(key["properties"]["type"]["enum"], json!(["string", "integer", "boolean"]));
        assert_eq!(of("fields.name_order")["enum"], json!(["given_first", "family_first", ""]));
        let types = &of("password.complexity.character_types")["anyOf"][0]["items"]["enum"];
        assert_eq!(types[0], "lowercase");
        let length = of("password.complexity.min_length");
        assert_eq!((&length["minimum"], &length["maximum"]), (&json!(1), &json!(72)));
        let links = of("page.links")["description"].clone();
        assert!(links.as_str().unwrap().starts_with("Links that log in"), "{links}");
        let label = &of("page.labels")["additionalProperties"]["anyOf"][1];
        assert_eq!(label["properties"]["de"]["type"], "string");
    }
}
