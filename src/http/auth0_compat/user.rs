//! The successful response of Auth0's endpoint.

use serde_json::{Map, Value, json};

use crate::auth0::User;
use crate::domain::{Field, NewUser, UserId};
use crate::form::Submission;

/// The fields that a form has values for, except the password.
pub(super) fn given_fields(form: &Submission<'_>) -> Vec<Field> {
    let fields = Field::ALL.into_iter().filter(|field| *field != Field::Password);
    fields.filter(|field| form.field(*field).trimmed().is_some()).collect()
}

/// The response for a new user: the id without its provider, the address, the given attributes. Those
/// that are not known of the user, as without `read:users` after a repeated form, are the form's.
pub(super) fn body(user: &User, given: &[Field], form: &User) -> Value {
    let id = user.user_id.connection_id();
    let mut members = Map::new();
    members.insert("_id".to_owned(), id.into());
    members.insert("email_verified".to_owned(), user.email_verified.unwrap_or(false).into());
    members.insert("email".to_owned(), json!(user.email));
    let attribute = |field| user.attribute(field).or_else(|| form.attribute(field));
    let attributes = given.iter().filter_map(|field| Some((field.name(), attribute(*field)?)));
    members.extend(attributes.map(|(name, value)| (name.to_owned(), value.into())));
    Value::Object(members)
}

/// A user with the attributes of the form and a random id, shown for new and known addresses alike.
pub(super) fn synthetic_user(user: &NewUser) -> User {
    // 24 hex digits, as in every id of a database connection.
    let id = UserId::from_connection_id(&format!("{:024x}", rand::random::<u128>() >> 32));
    let mut synthetic = User::known(id, user.email.as_ref()).with_attributes(&user.attributes);
    synthetic.email_verified = Some(false);
    synthetic
}
