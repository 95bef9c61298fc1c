//! What a front end may know beforehand, as `GET /signup/policy` tells it: enough to build a form
//! from nothing. Never the words of a dictionary, lists of domains, limits or the connection's name.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::params;
use crate::abuse::{Challenges, Existence};
use crate::domain::metadata::{MetadataKind, MetadataRule};
use crate::domain::password::PasswordPolicy;
use crate::domain::rules::Presence;
use crate::domain::{EmailAddress, Field, PersonalName, PictureSchemes, Rules, Terms, Violation};
use crate::page::script;
use crate::texts::Locale;

/// The document, made once for each language.
#[derive(Debug)]
pub struct Policy(Vec<(Locale, Document)>);

/// The document in one language.
#[derive(Debug)]
pub(super) struct Document {
    /// Its bytes.
    pub(super) body: Bytes,
    /// Its strong validator: a digest of the bytes.
    pub(super) etag: HeaderValue,
}

impl Policy {
    /// The policy of a deployment with these rules.
    pub fn new(rules: &Rules, challenges: &Challenges, existence: &Existence) -> Self {
        let documents =
            Locale::ALL.map(|locale| (locale, document(rules, challenges, existence, locale)));
        Self(documents.into())
    }

    /// The document in this language.
    pub(super) fn in_language(&self, locale: Locale) -> Option<&Document> {
        self.0.iter().find(|(known, _)| *known == locale).map(|(_, document)| document)
    }
}

impl Document {
    /// Whether a request has these bytes already (RFC 9110, 13.1.2).
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(header::IF_NONE_MATCH).iter();
        let tags =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        tags.map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes()
        })
    }
}

fn document(
    rules: &Rules,
    challenges: &Challenges,
    existence: &Existence,
    locale: Locale,
) -> Document {
    let policy = json!({
        "fields": fields(rules),
        "user_metadata": metadata(rules),
        "password": password(&rules.password, locale),
        "terms": rules.terms.as_ref().map(terms),
        "challenge": challenges.described(),
        "existence": existence.name(),
        "languages": Locale::ALL.map(Locale::tag),
    });
    let body = policy.to_string();
    let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()));
    let etag = HeaderValue::try_from(format!("\"{hash}\""));
    Document { body: body.into(), etag: etag.unwrap_or(HeaderValue::from_static("\"\"")) }
}

/// The fields that are taken, each with what it takes.
fn fields(rules: &Rules) -> Map<String, Value> {
    let fields = Field::ALL.into_iter().filter_map(|field| {
        let presence = match field {
            Field::Email | Field::Password => Presence::Required,
            other => rules.presence.get(&other).copied().unwrap_or(Presence::Off),
        };
        let required = match presence {
            Presence::Off => return None,
            Presence::Required => true,
            Presence::Optional => false,
        };
        let mut told = bounds(field, rules);
        told.insert("type".to_owned(), "string".into());
        told.insert("required".to_owned(), required.into());
        Some((field.name().to_owned(), Value::Object(told)))
    });
    fields.collect()
}

/// What a field's text has to be like. Lengths are in code points.
fn bounds(field: Field, rules: &Rules) -> Map<String, Value> {
    let length = |min: usize, max: usize| json!({ "min_length": min, "max_length": max });
    let bounds = match field {
        Field::Email => json!({ "format": "email", "max_length": EmailAddress::MAX_LENGTH }),
        Field::Password => json!({ "format": "password" }),
        Field::GivenName | Field::FamilyName => length(1, PersonalName::MAX_GIVEN_OR_FAMILY),
        Field::Name | Field::Nickname => length(1, PersonalName::MAX_NAME_OR_NICKNAME),
        Field::Picture => match rules.picture {
            PictureSchemes::Web => json!({ "format": "uri", "schemes": ["http", "https"] }),
            PictureSchemes::Any => json!({ "format": "uri" }),
        },
        Field::Username => length(*rules.username.start(), *rules.username.end()),
        Field::PhoneNumber => json!({ "format": "phone", "pattern": r"^\+[0-9]{1,15}$" }),
    };
    match bounds {
        Value::Object(bounds) => bounds,
        _ => Map::new(),
    }
}

/// The keys of `user_metadata`, each with what it takes.
fn metadata(rules: &Rules) -> Map<String, Value> {
    rules.metadata.iter().map(|(key, rule)| (key.clone(), key_of(rule))).collect()
}

fn key_of(rule: &MetadataRule) -> Value {
    let (kind, required) = (rule.kind.type_name(), rule.required);
    match &rule.kind {
        MetadataKind::Text { length } => json!({
            "type": kind,
            "required": required,
            "min_length": length.start(),
            "max_length": length.end(),
        }),
        MetadataKind::OneOf(values) => {
            json!({ "type": kind, "required": required, "values": values })
        }
        MetadataKind::Integer(range) => {
            json!({ "type": kind, "required": required, "min": range.start(), "max": range.end() })
        }
        MetadataKind::Boolean => json!({ "type": kind, "required": required }),
    }
}

/// The terms in force, and what becomes of a form that does not accept them.
fn terms(terms: &Terms) -> Value {
    json!({
        "version": terms.version.as_str(),
        "url": terms.url.as_str(),
        "required": terms.required,
    })
}

/// The password's rules: as numbers, to judge by, and in words, to show.
fn password(policy: &PasswordPolicy, locale: Locale) -> Map<String, Value> {
    let rules = policy.rules().into_iter().map(|rule| {
        let violation = Violation::Password(rule);
        json!({
            "code": violation.code(),
            "message": locale.fault(&violation),
            "params": params::of(&violation),
        })
    });
    let mut told = script::judged(policy);
    told.insert("policy".to_owned(), policy.name().into());
    told.insert("rules".to_owned(), rules.collect());
    told
}
