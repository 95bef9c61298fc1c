//! E-mail, picture, phone number and lengths against z-schema.

use std::collections::HashSet;

use auth0_signup::domain::{
    EmailAddress, PictureSchemes, USERNAME_LENGTHS, Violation, check_length, phone, picture,
};
use serde::Deserialize;

use crate::{load, require_agreement};

/// A text and the packages' result for it.
#[derive(Deserialize)]
struct TextVector {
    input: String,
    accepted: bool,
    /// The text that is sent, if it differs from the input.
    kept: Option<String>,
}

impl TextVector {
    /// Describes how our result differs, if it does.
    fn differs_from<T: AsRef<str>>(&self, ours: Result<T, Violation>) -> Option<String> {
        let expected =
            self.accepted.then(|| self.kept.as_deref().unwrap_or(&self.input).to_owned());
        let ours = ours.ok().map(|value| value.as_ref().to_owned());
        (ours != expected).then(|| format!("{:?}: {ours:?}, not {expected:?}", self.input))
    }
}

/// An input on which versions of the packages disagree.
#[derive(Deserialize)]
struct Reading {
    field: String,
    input: String,
    in_2019: bool,
}

/// The strict URIs, of which those that the packages of 2019 reject count as rejected.
fn pictures() -> Vec<TextVector> {
    let readings: Vec<Reading> = load("readings.json");
    let rejected =
        readings.into_iter().filter(|reading| reading.field == "picture" && !reading.in_2019);
    let rejected: HashSet<_> = rejected.map(|reading| reading.input).collect();
    let mut vectors: Vec<TextVector> = load("strict_uri.json");
    for vector in &mut vectors {
        vector.accepted &= !rejected.contains(&vector.input);
    }
    vectors
}

/// A text of `count` times `unit`, for a field with a limited length.
#[derive(Deserialize)]
struct LengthVector {
    field: String,
    unit: String,
    count: usize,
    accepted: bool,
}

#[test]
fn email_agrees() {
    let vectors: Vec<TextVector> = load("email.json");
    require_agreement("email", &vectors, |vector| {
        vector.differs_from(EmailAddress::parse(&vector.input))
    });
}

#[test]
fn strict_uri_agrees() {
    let vectors = pictures();
    require_agreement("strict_uri", &vectors, |vector| {
        let checked = picture::check(&vector.input, PictureSchemes::Any);
        vector.differs_from(checked.map(|()| &vector.input))
    });
}

#[test]
fn web_pictures_are_the_strict_uris_with_a_web_scheme() {
    let vectors = pictures();
    require_agreement("web pictures", &vectors, |vector| {
        let lower = vector.input.to_ascii_lowercase();
        let is_web = lower.starts_with("http://") || lower.starts_with("https://");
        let expected = match (vector.accepted, is_web) {
            (true, true) => None,
            (true, false) => Some(Violation::NotAllowed),
            (false, _) => Some(Violation::Malformed),
        };
        let ours = picture::check(&vector.input, PictureSchemes::Web).err();
        (ours != expected).then(|| format!("{:?}: {ours:?}, not {expected:?}", vector.input))
    });
}

#[test]
fn phone_agrees() {
    let vectors: Vec<TextVector> = load("phone.json");
    require_agreement("phone", &vectors, |vector| {
        vector.differs_from(phone::check(&vector.input).map(|()| &vector.input))
    });
}

#[test]
fn lengths_agree() {
    let vectors: Vec<LengthVector> = load("lengths.json");
    require_agreement("lengths", &vectors, |vector| {
        let text = vector.unit.repeat(vector.count);
        let lengths = match vector.field.as_str() {
            "given_name" | "family_name" => 1..=150,
            "name" | "nickname" => 1..=300,
            "username" => USERNAME_LENGTHS,
            other => panic!("no rule for {other}"),
        };
        let accepted = check_length(&text, &lengths).is_ok();
        (accepted != vector.accepted)
            .then(|| format!("{} of {:?} times {}", vector.field, vector.unit, vector.count))
    });
}
