//! `[fields]`, and the other sections that form the [`Rules`].

use std::collections::BTreeMap;

use super::reader::Reader;
use super::{email, metadata, password, terms};
use crate::domain::rules::{NameOrder, Presence};
use crate::domain::{Field, IgnoredNames, PictureSchemes, Rules};
use crate::form::ControlField;

const CHOICES: [(&str, Presence); 3] =
    [("required", Presence::Required), ("optional", Presence::Optional), ("off", Presence::Off)];

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Rules> {
    let mut presence = BTreeMap::new();
    for field in Field::ALL {
        if !matches!(field, Field::Email | Field::Password) {
            let choice = reader.choice(&format!("fields.{field}"), &CHOICES);
            presence.insert(field, choice.unwrap_or(Presence::Off));
        }
    }
    let orders = [("given_first", NameOrder::GivenFirst), ("family_first", NameOrder::FamilyFirst)];
    let name_order = reader.optional_choice("fields.name_order", &orders);
    let compose_name = reader.flag("fields.compose_name");
    let schemes = [("web", PictureSchemes::Web), ("any", PictureSchemes::Any)];
    let picture = reader.choice("fields.picture_schemes", &schemes).unwrap_or(PictureSchemes::Web);

    let shortest = reader.count("fields.username_min_length", 1..=128);
    let longest = reader.count("fields.username_max_length", 1..=128);
    let expected = "a name of no other field, or the start of one and an asterisk (utm_*)";
    let mut ignored = IgnoredNames::default();
    for name in reader.entries("fields.ignore", expected, other_name) {
        ignored.insert(&name);
    }
    let email = email::read(reader);
    let (metadata, metadata_order) = metadata::read(reader);
    let terms = terms::read(reader);
    let password = password::read(reader)?;
    Some(Rules {
        presence,
        compose_name,
        name_order,
        email,
        picture,
        username: shortest..=longest,
        metadata,
        metadata_order,
        terms,
        ignored,
        password,
    })
}

/// Accepts a name that no field has, or the start of such names with a trailing `*`.
fn other_name(name: &str) -> Option<String> {
    let is_other = match name.strip_suffix('*') {
        Some(start) => {
            let mut names =
                Field::ALL.iter().map(|field| field.name()).chain(ControlField::names());
            !start.is_empty()
                && !start.contains('*')
                && names.all(|known| !known.starts_with(start))
        }
        None => Field::from_name(name).is_none() && ControlField::from_name(name).is_none(),
    };
    is_other.then(|| name.to_owned())
}
