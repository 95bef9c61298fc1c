//! The document of `GET /signup/policy`: enough for a front end to build a form. It never contains
//! dictionary words, lists of domains, limits or the connection's name.

use serde_json::{Map, Value, json};
use url::Url;

use super::params::{given_bounds, members, violation_params};
use crate::abuse::{Challenges, ExistencePolicy};
use crate::domain::field::{AttributeKind, FieldKind};
use crate::domain::metadata::{self, MetadataKind, MetadataRule};
use crate::domain::password::PasswordPolicy;
use crate::domain::rules::Presence;
use crate::domain::{Field, PictureSchemes, Rules, Terms, Violation};
use crate::page::messages::Messages;
use crate::page::web_file::pinned_files;
use crate::page::{Asset, Page, metadata_name, password_checks, password_rules_attribute};
use crate::texts::{Locale, PerLocale};

/// The document in every language, made once.
#[derive(Debug)]
pub struct SignupPolicy(PerLocale<Asset>);

impl SignupPolicy {
    /// The policy of a deployment with these rules.
    pub fn new(
        rules: &Rules,
        challenges: &Challenges,
        existence: &ExistencePolicy,
        page: &Page,
    ) -> Self {
        Self(PerLocale::new(|locale| {
            document(rules, challenges, existence, page, Messages::for_locale(locale))
        }))
    }

    /// The document in this language.
    pub(super) const fn in_language(&self, locale: Locale) -> &Asset {
        self.0.get(locale)
    }
}

fn document(
    rules: &Rules,
    challenges: &Challenges,
    existence: &ExistencePolicy,
    page: &Page,
    messages: &Messages,
) -> Asset {
    let policy = json!({
        "fields": fields(rules, page, messages),
        "user_metadata": keys(rules, page, messages),
        "password": password(&rules.password, messages.locale),
        "terms": rules.terms.as_ref().map(terms),
        "challenge": challenges.info(&page.settings().base_path),
        "existence": existence.name(),
        "order": page.order(messages.locale).collect::<Vec<_>>(),
        "login_url": page.settings().login_url.as_ref().map(Url::as_str),
        "reset_url": page.settings().reset_url.as_ref().map(Url::as_str),
        "assets": pinned_files(&page.settings().base_path),
        "languages": Locale::ALL.map(Locale::tag),
        "language": messages.lang,
        "direction": messages.dir,
        "texts": messages.texts(),
    });
    Asset::new(policy.to_string().into())
}

/// The accepted fields with their constraints.
fn fields(rules: &Rules, page: &Page, messages: &Messages) -> Map<String, Value> {
    let fields = Field::ALL.into_iter().filter_map(|field| {
        let required = match rules.presence_of(field) {
            Presence::Off => return None,
            Presence::Required => true,
            Presence::Optional => false,
        };
        let mut entry = bounds(field, rules);
        entry.insert("type".to_owned(), "string".into());
        entry.insert("required".to_owned(), required.into());
        entry.insert("label".to_owned(), page.label(field.name(), messages).into());
        Some((field.name().to_owned(), Value::Object(entry)))
    });
    fields.collect()
}

/// The constraints of a field's text. Lengths are in code points.
fn bounds(field: Field, rules: &Rules) -> Map<String, Value> {
    let length = |min: usize, max: usize| json!({ "min_length": min, "max_length": max });
    let bounds = match field.spec().kind {
        FieldKind::Email { max_length } => json!({ "format": "email", "max_length": max_length }),
        FieldKind::Password => json!({ "format": "password" }),
        FieldKind::Attribute(AttributeKind::PersonName { max_length }) => length(1, max_length),
        FieldKind::Attribute(AttributeKind::Picture) => match rules.picture {
            PictureSchemes::Web => json!({ "format": "uri", "schemes": ["http", "https"] }),
            PictureSchemes::Any => json!({ "format": "uri" }),
        },
        FieldKind::Attribute(AttributeKind::Username) => {
            length(*rules.username.start(), *rules.username.end())
        }
        FieldKind::Attribute(AttributeKind::PhoneNumber) => {
            json!({ "format": "phone", "pattern": r"^\+[0-9]{1,15}$" })
        }
    };
    members(bounds)
}

/// The accepted keys of `user_metadata` with their constraints.
fn keys(rules: &Rules, page: &Page, messages: &Messages) -> Map<String, Value> {
    let entry = |(key, rule): (&String, &MetadataRule)| {
        let name = metadata_name(key);
        let mut entry = constraints(&rule.kind);
        entry.insert("type".to_owned(), rule.kind.type_name().into());
        entry.insert("required".to_owned(), rule.required.into());
        entry.insert("label".to_owned(), page.label(&name, messages).into());
        let options: Map<_, _> = page
            .options(&name, messages)
            .map(|(value, label)| (value.to_owned(), label.into()))
            .collect();
        if !options.is_empty() {
            entry.insert("options".to_owned(), options.into());
        }
        (key.clone(), entry.into())
    };
    rules.metadata.iter().map(entry).collect()
}

/// The constraints of a key's value. Lengths are in code points.
fn constraints(kind: &MetadataKind) -> Map<String, Value> {
    let constraints = match kind {
        MetadataKind::Text { length } => {
            json!({ "min_length": length.start(), "max_length": length.end() })
        }
        MetadataKind::OneOf(values) => json!({ "values": values }),
        MetadataKind::Integer(range) => {
            let (min, max) = metadata::bounds(range);
            given_bounds(min, max)
        }
        MetadataKind::Boolean => json!({}),
    };
    members(constraints)
}

/// The terms in force, and whether a form has to accept them.
fn terms(terms: &Terms) -> Value {
    json!({
        "version": terms.version.as_str(),
        "url": terms.url.as_str(),
        "required": terms.required,
    })
}

/// The password's rules: as numbers to check by, and as text to show.
fn password(policy: &PasswordPolicy, locale: Locale) -> Map<String, Value> {
    let rules = policy.rules().into_iter().map(|rule| {
        let message = locale.password_rule(&rule);
        let violation = Violation::Password(rule);
        json!({
            "code": violation.code(),
            "message": message,
            "params": violation_params(&violation),
        })
    });
    let mut members = password_checks(policy);
    members.insert("policy".to_owned(), policy.name().into());
    members.insert("rules".to_owned(), rules.collect());
    members.insert("passwordrules".to_owned(), password_rules_attribute(policy).into());
    members
}
