//! `[fields]`, and the other sections that form the [`Rules`].

use std::collections::BTreeMap;

use super::reader::Reader;
use super::{email, metadata, password, terms};
use crate::domain::rules::{NameOrder, Presence};
use crate::domain::{Field, PictureSchemes, Rules};
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
    let other = |name: &str| {
        let is_taken = Field::from_name(name).is_some() || ControlField::from_name(name).is_some();
        (!is_taken).then(|| name.to_owned())
    };
    let ignored = reader.entries("fields.ignore", "a name of no other field", other);
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
        ignored: ignored.into_iter().collect(),
        password,
    })
}
