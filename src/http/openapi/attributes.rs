//! The root attributes in the schemas, made from the descriptors of the fields.

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};

use crate::domain::field::AttributeKind;
use crate::domain::{Field, USERNAME_LENGTHS};

/// The schemas of objects that have the root attributes as members.
const SCHEMAS: [&str; 3] = ["SignUp", "Auth0SignUp", "User"];

/// Adds the root attributes to the schemas that have them.
pub(super) fn add(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    for name in SCHEMAS {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
            let attributes = Field::attributes();
            object.properties.extend(
                attributes.map(|(field, kind)| (field.name().to_owned(), property(field, kind))),
            );
        }
    }
}

fn property(field: Field, kind: AttributeKind) -> RefOr<Schema> {
    let (format, max_length) = match kind {
        AttributeKind::PersonName { max_length } => (None, Some(max_length)),
        AttributeKind::Picture => (Some(SchemaFormat::Custom("uri".to_owned())), None),
        AttributeKind::Username => (None, Some(*USERNAME_LENGTHS.end())),
        AttributeKind::PhoneNumber => (None, None),
    };
    let spec = field.spec();
    let property = ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
        .format(format)
        .max_length(max_length)
        .description(Some(spec.description))
        .examples([spec.example]);
    RefOr::T(Schema::Object(property.build()))
}
