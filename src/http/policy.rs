//! What a front end may know beforehand, as `GET /signup/policy` tells it: enough to build a form
//! from nothing. Never the words of a dictionary, lists of domains, limits or the connection's name.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::params;
use crate::abuse::{Challenges, ExistencePolicy};
use crate::domain::metadata::{self, MetadataKind, MetadataRule};
use crate::domain::password::PasswordPolicy;
use crate::domain::rules::Presence;
use crate::domain::{EmailAddress, Field, PersonalName, PictureSchemes, Rules, Terms, Violation};
use crate::page::messages::Messages;
use crate::page::{Page, metadata_name, script};
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
    pub fn new(
        rules: &Rules,
        challenges: &Challenges,
        existence: &ExistencePolicy,
        page: &Page,
    ) -> Self {
        let document =
            |locale| document(rules, challenges, existence, page, Messages::for_locale(locale));
        let documents = Locale::ALL.map(|locale| (locale, document(locale)));
        Self(documents.into())
    }

    /// The document in this language.
    pub(super) fn in_language(&self, locale: Locale) -> Option<&Document> {
        self.0.iter().find(|(known, _)| *known == locale).map(|(_, document)| document)
    }
}

fn document(
    rules: &Rules,
    challenges: &Challenges,
    existence: &ExistencePolicy,
    page: &Page,
    words: &Messages,
) -> Document {
    let policy = json!({
        "fields": fields(rules, page, words),
        "user_metadata": keys(rules, page, words),
        "password": password(&rules.password, words.locale),
        "terms": rules.terms.as_ref().map(terms),
        "challenge": challenges.info(),
        "existence": existence.name(),
        "languages": Locale::ALL.map(Locale::tag),
        "texts": words.texts(),
    });
    let body = policy.to_string();
    let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()));
    let etag = HeaderValue::try_from(format!("\"{hash}\""));
    Document { body: body.into(), etag: etag.unwrap_or(HeaderValue::from_static("\"\"")) }
}

/// The fields that are taken, each with what it takes.
fn fields(rules: &Rules, page: &Page, words: &Messages) -> Map<String, Value> {
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
        told.insert("label".to_owned(), page.label(field.name(), words).into());
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
    members(bounds)
}

/// The keys of `user_metadata`, each with what it takes.
fn keys(rules: &Rules, page: &Page, words: &Messages) -> Map<String, Value> {
    let told = |(key, rule): (&String, &MetadataRule)| {
        let name = metadata_name(key);
        let mut told = taken(rule);
        told.insert("label".to_owned(), page.label(&name, words).into());
        let options: Map<_, _> = page
            .options(&name, words)
            .map(|(value, label)| (value.to_owned(), label.into()))
            .collect();
        if !options.is_empty() {
            told.insert("options".to_owned(), options.into());
        }
        (key.clone(), told.into())
    };
    rules.metadata.iter().map(told).collect()
}

/// The type of a key, and its bounds.
fn taken(rule: &MetadataRule) -> Map<String, Value> {
    let (kind, required) = (rule.kind.type_name(), rule.required);
    let taken = match &rule.kind {
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
            let mut taken = members(json!({ "type": kind, "required": required }));
            let (min, max) = metadata::bounds(range);
            taken.extend(min.map(|min| ("min".to_owned(), min.into())));
            taken.extend(max.map(|max| ("max".to_owned(), max.into())));
            taken.into()
        }
        MetadataKind::Boolean => json!({ "type": kind, "required": required }),
    };
    members(taken)
}

/// The members of an object.
fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
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
        let message = locale.password_rule(&rule);
        let violation = Violation::Password(rule);
        json!({
            "code": violation.code(),
            "message": message,
            "params": params::of(&violation),
        })
    });
    let mut told = script::password_checks(policy);
    told.insert("policy".to_owned(), policy.name().into());
    told.insert("rules".to_owned(), rules.collect());
    told
}
