//! The inputs of the form and their attributes.
//!
//! No input has a `maxlength`, which would silently truncate a pasted password. Validation reports
//! values that are too long.

use url::Url;

use super::form_values::metadata_name;
use crate::config::{Label, PageField, PageSettings};
use crate::domain::field::{AttributeKind, FieldKind};
use crate::domain::metadata::{MetadataKind, MetadataRule, USER_METADATA};
use crate::domain::rules::{Presence, Rules};
use crate::domain::{Field, Terms, TermsVersion};
use crate::form::ControlField;

/// One input of the form.
#[derive(Debug)]
pub(super) struct Input {
    /// The name in the body.
    pub(super) name: String,
    /// The id in the document: the name, or for metadata a number, since a key may hold any
    /// character.
    pub(super) id: String,
    /// Its label.
    pub(super) label: InputLabel,
    /// Its element.
    pub(super) kind: Kind,
    /// True if a sign-up without it is rejected.
    pub(super) required: bool,
    /// True if the form always shows it. Others appear only if a form of another site sent them.
    pub(super) always_shown: bool,
}

/// The source of a label.
#[derive(Debug)]
pub(super) enum InputLabel {
    /// The name of a field in the language of the page.
    Field(Field),
    /// The name of the terms in the language of the page.
    Terms,
    /// The operator's label of a metadata key, or the key, made readable.
    Own(Label),
}

/// The element of an input.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text input.
    Text(TextInput),
    /// The password.
    Password,
    /// A list of values.
    Choice(Vec<Choice>),
    /// A checkbox.
    Checkbox,
    /// The checkbox of the terms, with their address and version.
    Terms(Url, TermsVersion),
}

/// A value of a list.
#[derive(Debug)]
pub(super) struct Choice {
    /// The value that is sent.
    pub(super) value: String,
    /// Its label.
    pub(super) label: Label,
}

/// The attributes of a text input.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextInput {
    /// `type`
    pub(super) kind: &'static str,
    /// `autocomplete`, for password managers and browsers (WCAG 2.2, 1.3.5).
    pub(super) autocomplete: &'static str,
    /// `inputmode`, for the keyboard of a phone.
    pub(super) inputmode: &'static str,
    /// True for the name of a person, which starts with a capital letter.
    pub(super) is_name: bool,
}

impl TextInput {
    /// Returns whether its value is written from left to right in every language.
    pub(super) fn is_ltr(&self) -> bool {
        matches!(self.inputmode, "email" | "url" | "tel" | "numeric")
    }
}

/// Returns the inputs of the form in order: first those that the settings list, as they list them.
/// A field that they do not list stands at its usual place among these. Keys of `user_metadata`
/// that they do not list follow, required ones first, and the terms come last.
pub(super) fn inputs(settings: &PageSettings, rules: &Rules) -> Vec<Input> {
    let mut order: Vec<PageField> = Vec::new();
    for field in &settings.fields {
        if !order.contains(field) {
            order.push(field.clone());
        }
    }
    let mut fields = Field::ALL;
    fields.sort_by_key(|field| field.spec().page_order);
    for field in fields {
        let unlisted = PageField::Field(field);
        if !order.contains(&unlisted) {
            let place = usual_place(&order, field);
            order.insert(place, unlisted);
        }
    }
    let mut keys: Vec<_> = rules.metadata_order.iter().collect();
    keys.sort_by_key(|key| !rules.metadata.get(*key).is_some_and(|rule| rule.required));
    for key in keys {
        let unlisted = PageField::Metadata(key.clone());
        if !order.contains(&unlisted) {
            order.push(unlisted);
        }
    }
    let inputs = order.iter().filter_map(|field| match field {
        PageField::Field(field) => field_input(*field, settings, rules),
        PageField::Metadata(key) => {
            let (index, rule) =
                (rules.metadata.keys().position(|known| known == key)?, rules.metadata.get(key)?);
            Some(metadata_input(index, key, rule, settings))
        }
    });
    inputs.chain(rules.terms.iter().map(terms_input)).collect()
}

/// Returns the place of an unlisted field: before the first field that usually follows it, else
/// after the last field.
fn usual_place(order: &[PageField], field: Field) -> usize {
    let follows = |listed: &PageField| match listed {
        PageField::Field(listed) => listed.spec().page_order > field.spec().page_order,
        PageField::Metadata(_) => false,
    };
    let last = order.iter().rposition(|listed| matches!(listed, PageField::Field(_)));
    order.iter().position(follows).unwrap_or(last.map_or(0, |last| last + 1))
}

fn field_input(field: Field, settings: &PageSettings, rules: &Rules) -> Option<Input> {
    let required = match rules.presence_of(field) {
        Presence::Off => return None,
        Presence::Required => true,
        Presence::Optional => false,
    };
    let autocomplete = field.spec().autocomplete;
    let text =
        |kind, inputmode| Kind::Text(TextInput { kind, autocomplete, inputmode, is_name: false });
    let kind = match field.spec().kind {
        // Chromium rewrites the domain of an input of the type "email" in Punycode, so that one
        // mailbox could become two users.
        FieldKind::Email { .. } => text("text", "email"),
        FieldKind::Password => Kind::Password,
        FieldKind::Attribute(AttributeKind::PersonName { .. }) => {
            Kind::Text(TextInput { kind: "text", autocomplete, inputmode: "text", is_name: true })
        }
        FieldKind::Attribute(AttributeKind::Picture) => text("url", "url"),
        FieldKind::Attribute(AttributeKind::Username) => text("text", "text"),
        FieldKind::Attribute(AttributeKind::PhoneNumber) => text("tel", "tel"),
    };
    Some(Input {
        name: field.name().to_owned(),
        id: field.name().to_owned(),
        label: InputLabel::Field(field),
        kind,
        required,
        always_shown: required || settings.fields.contains(&PageField::Field(field)),
    })
}

fn metadata_input(index: usize, key: &str, rule: &MetadataRule, settings: &PageSettings) -> Input {
    let labels = &settings.labels;
    let line = |inputmode| {
        Kind::Text(TextInput { kind: "text", autocomplete: "off", inputmode, is_name: false })
    };
    let choice = |value: &String| Choice {
        value: value.clone(),
        label: labels.option(key, value).cloned().unwrap_or(Label::common(value.clone())),
    };
    Input {
        id: format!("{USER_METADATA}-{index}"),
        name: metadata_name(key),
        label: InputLabel::Own(labels.key(key).cloned().unwrap_or(Label::common(readable(key)))),
        kind: match &rule.kind {
            MetadataKind::Text { .. } => line("text"),
            MetadataKind::OneOf(values) => Kind::Choice(values.iter().map(choice).collect()),
            MetadataKind::Integer(_) => line("numeric"),
            MetadataKind::Boolean => Kind::Checkbox,
        },
        required: rule.required,
        always_shown: true,
    }
}

fn terms_input(terms: &Terms) -> Input {
    Input {
        name: ControlField::Terms.name().to_owned(),
        id: ControlField::Terms.name().to_owned(),
        label: InputLabel::Terms,
        kind: Kind::Terms(terms.url.clone(), terms.version.clone()),
        required: terms.required,
        always_shown: true,
    }
}

/// Makes a key readable: `favourite_colour` becomes "Favourite colour".
fn readable(key: &str) -> String {
    let spaced = key.replace(['_', '-', '.'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
