//! Which inputs the form has, and what each tells the browser.
//!
//! No input has a `maxlength`: it would cut a pasted password without a word. What is too long is
//! told by the rules.

use url::Url;

use super::form_values::metadata_name;
use super::messages::Words;
use crate::config::{Label as Named, PageSettings};
use crate::domain::metadata::{MetadataKind, MetadataRule};
use crate::domain::rules::{Presence, Rules};
use crate::domain::submission::{Control, METADATA};
use crate::domain::{Field, Terms, TermsVersion};

/// One input of the form.
#[derive(Debug)]
pub(super) struct Input {
    /// The name in the body.
    pub(super) name: String,
    /// The id in the document: the name, or for metadata, whose keys are anybody's, a number.
    pub(super) id: String,
    /// What it is called.
    pub(super) label: Label,
    /// What the browser makes of it.
    pub(super) kind: Kind,
    /// Whether a sign-up without it is refused.
    pub(super) required: bool,
    /// Whether it is there even if nothing is known of it. Others come up when another site's form
    /// gave them.
    pub(super) asked: bool,
}

/// Where the words of a label come from.
#[derive(Debug)]
pub(super) enum Label {
    /// The language's.
    Field(Field),
    /// The language's word for the terms.
    Terms,
    /// The operator's: what a key of `user_metadata` is called, or the key, made readable.
    Own(Named),
}

/// What the browser makes of an input.
#[derive(Debug)]
pub(super) enum Kind {
    /// A line of text.
    Line(Line),
    /// The password.
    Password,
    /// One of these.
    Choice(Vec<Choice>),
    /// A box to tick.
    Box,
    /// The box of the terms: where they can be read, and which they are.
    Terms(Url, TermsVersion),
}

/// A value to choose.
#[derive(Debug)]
pub(super) struct Choice {
    /// What is sent.
    pub(super) value: String,
    /// What it is called.
    pub(super) label: Named,
}

impl Choice {
    /// What it is called in a language.
    pub(super) fn called(&self, words: &Words) -> &str {
        self.label.in_language(words.locale)
    }
}

/// The attributes of a line of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// `type`
    pub(super) kind: &'static str,
    /// `autocomplete`: what password managers and browsers fill in (WCAG 2.2, 1.3.5).
    pub(super) autocomplete: &'static str,
    /// `inputmode`: the keyboard of a phone.
    pub(super) inputmode: &'static str,
    /// Whether it is a name of a person: in capitals at the start, and no word of a dictionary.
    pub(super) is_name: bool,
}

impl Line {
    /// Whether it is written from left to right in every language.
    pub(super) fn is_ltr(&self) -> bool {
        matches!(self.kind, "email" | "url" | "tel") || self.inputmode == "numeric"
    }
}

/// The inputs of the form, in the order in which they stand on it: who, then how to log in, then
/// the rest, and the terms last.
pub(super) fn inputs(settings: &PageSettings, rules: &Rules) -> Vec<Input> {
    const ORDER: [Field; Field::ALL.len()] = [
        Field::GivenName,
        Field::FamilyName,
        Field::Name,
        Field::Nickname,
        Field::Username,
        Field::Email,
        Field::PhoneNumber,
        Field::Password,
        Field::Picture,
    ];
    let fields = ORDER.into_iter().filter_map(|field| of_field(field, settings, rules));
    let metadata = rules.metadata.iter().enumerate();
    let metadata = metadata.map(|(nth, (key, rule))| of_metadata(nth, key, rule, settings));
    fields.chain(metadata).chain(rules.terms.iter().map(of_terms)).collect()
}

fn of_field(field: Field, settings: &PageSettings, rules: &Rules) -> Option<Input> {
    let required = match field {
        Field::Email | Field::Password => true,
        other => match rules.presence.get(&other).copied().unwrap_or(Presence::Off) {
            Presence::Off => return None,
            Presence::Required => true,
            Presence::Optional => false,
        },
    };
    let line = |kind, autocomplete, inputmode| {
        Kind::Line(Line { kind, autocomplete, inputmode, is_name: false })
    };
    let name = |autocomplete| {
        Kind::Line(Line { kind: "text", autocomplete, inputmode: "text", is_name: true })
    };
    let kind = match field {
        Field::Email => line("email", "email", "email"),
        Field::Password => Kind::Password,
        Field::GivenName => name("given-name"),
        Field::FamilyName => name("family-name"),
        Field::Name => name("name"),
        Field::Nickname => name("nickname"),
        Field::Picture => line("url", "photo", "url"),
        Field::Username => line("text", "username", "text"),
        Field::PhoneNumber => line("tel", "tel", "tel"),
    };
    Some(Input {
        name: field.name().to_owned(),
        id: field.name().to_owned(),
        label: Label::Field(field),
        kind,
        required,
        asked: required || settings.fields.contains(&field),
    })
}

fn of_metadata(nth: usize, key: &str, rule: &MetadataRule, settings: &PageSettings) -> Input {
    let labels = &settings.labels;
    let line = |inputmode| {
        Kind::Line(Line { kind: "text", autocomplete: "off", inputmode, is_name: false })
    };
    let choice = |value: &String| Choice {
        value: value.clone(),
        label: labels.option(key, value).cloned().unwrap_or(Named::common(value.clone())),
    };
    Input {
        id: format!("{METADATA}-{nth}"),
        name: metadata_name(key),
        label: Label::Own(labels.key(key).cloned().unwrap_or(Named::common(readable(key)))),
        kind: match &rule.kind {
            MetadataKind::Text { .. } => line("text"),
            MetadataKind::OneOf(values) => Kind::Choice(values.iter().map(choice).collect()),
            MetadataKind::Integer(_) => line("numeric"),
            MetadataKind::Boolean => Kind::Box,
        },
        required: rule.required,
        asked: true,
    }
}

fn of_terms(terms: &Terms) -> Input {
    Input {
        name: Control::Terms.name().to_owned(),
        id: Control::Terms.name().to_owned(),
        label: Label::Terms,
        kind: Kind::Terms(terms.url.clone(), terms.version.clone()),
        required: terms.required,
        asked: true,
    }
}

/// `favourite_colour` as people write it: "Favourite colour".
fn readable(key: &str) -> String {
    let spaced = key.replace(['_', '-', '.'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
