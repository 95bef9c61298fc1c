//! `auth0-signup config schema`: the settings file as JSON Schema, for editors. Made of
//! `config/default.toml`, so that it cannot differ: its keys, the types of its defaults, its comments.

use std::collections::BTreeMap;

use config::{Value as Setting, ValueKind};
use serde_json::{Map, Value, json};

use super::layers::{DEFAULTS, Layers, OPEN_TABLES, SECRETS};

/// The schema (JSON Schema, 2020-12), as text. `layers` are those of the defaults.
pub fn schema(layers: &Layers) -> String {
    let comments = comments();
    let mut root = table();
    for key in layers.keys() {
        let Some(value) = layers.value(key) else { continue };
        let mut told = member(&value);
        if let Some(text) = comments.get(key) {
            told.insert("description".to_owned(), text.as_str().into());
        }
        if SECRETS.contains(&key) {
            told.insert("writeOnly".to_owned(), true.into());
        }
        put(&mut root, key, told);
    }
    for key in OPEN_TABLES {
        let open =
            json!({ "type": "object", "description": "Its members are named by the operator." });
        put(&mut root, key, object(open));
    }
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), "The settings of auth0-signup".into());
    format!("{:#}\n", Value::Object(root))
}

/// What a setting with this default takes.
fn member(default: &Setting) -> Map<String, Value> {
    let told = match &default.kind {
        ValueKind::Boolean(default) => json!({ "type": "boolean", "default": default }),
        ValueKind::I64(default) => json!({ "type": "integer", "default": default }),
        ValueKind::Array(items) => {
            let items: Vec<_> =
                items.iter().filter_map(|item| item.clone().into_string().ok()).collect();
            let list = json!({ "type": "array", "items": { "type": "string" } });
            // A list may also be one comma-separated string.
            json!({ "anyOf": [list, { "type": "string" }], "default": items })
        }
        ValueKind::String(default) if default.is_empty() => json!({ "type": "string" }),
        ValueKind::String(default) => json!({ "type": "string", "default": default }),
        _ => json!({}),
    };
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

/// What `config/default.toml` says above each key.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut section, mut above) = (BTreeMap::new(), "", Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            above.push(comment.trim());
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !above.is_empty()) {
            let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            found.insert(key, above.join(" "));
        }
        above.clear();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fault::Faults;
    use super::*;

    #[test]
    fn every_key_has_its_type_its_default_and_what_is_said_of_it() {
        let layers = Layers::read(None, [], &mut Faults::default()).unwrap();
        let schema: Value = serde_json::from_str(&schema(&layers)).unwrap();
        let properties = |value: &Value| value["properties"].as_object().unwrap().clone();
        let sections = properties(&schema);
        for key in layers.keys() {
            let members =
                key.split('.').fold(schema.clone(), |at, name| at["properties"][name].clone());
            assert!(members["type"].is_string() || members["anyOf"].is_array(), "{key}: {members}");
        }
        assert_eq!(sections["http"]["additionalProperties"], false);
        let port = &sections["http"]["properties"]["port"];
        assert_eq!((&port["type"], &port["default"]), (&json!("integer"), &json!(8080)));
        let secret = &sections["auth0"]["properties"]["client_secret"];
        assert_eq!(secret["writeOnly"], true);
        assert!(secret["description"].as_str().unwrap().starts_with("Secret. Environment:"));
        assert_eq!(sections["user_metadata"]["properties"]["keys"]["type"], "object");
        assert!(sections["existence"]["description"].as_str().unwrap().starts_with("reveal:"));
        let deep = &sections["auth0"]["properties"]["budget"]["properties"]["max_wait_ms"];
        assert_eq!(deep["type"], "integer");
    }
}
