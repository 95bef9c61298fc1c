//! Names that Auth0 assigns or accepts, parsed in one place for every key.

/// The expected value of a key for a client id.
pub(super) const CLIENT_ID: &str = "a client id: visible ASCII characters";

/// The expected value of a key for a connection.
pub(super) const CONNECTION: &str =
    "the connection's name, such as Username-Password-Authentication, not its con_ id";

/// The expected value of a key of `user_metadata`.
pub(super) const METADATA_KEY: &str =
    "a key that Auth0 accepts: at most 100 characters without . [ ] and not starting with $";

/// The maximum length of a key of `user_metadata` in characters: the limit of Auth0's public
/// sign-up endpoint.
const MAX_METADATA_KEY: usize = 100;

/// Parses a client id.
pub(super) fn parse_client_id(text: &str) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
}

/// Parses the name of a connection. Its id, which starts with `con_`, is another thing: Auth0
/// rejects it in the create call.
pub(super) fn parse_connection(text: &str) -> Option<String> {
    let is_name =
        !text.starts_with("con_") && text.len() <= 128 && !text.contains(char::is_whitespace);
    is_name.then(|| text.to_owned())
}

/// Parses a key of `user_metadata`. Auth0 rejects a dot, and a dollar sign at the start
/// (its documentation of metadata). Forms write `user_metadata[key]`.
pub(super) fn parse_metadata_key(text: &str) -> Option<String> {
    let is_key = (1..=MAX_METADATA_KEY).contains(&text.chars().count())
        && !text.contains(|c: char| c.is_control() || matches!(c, '.' | '[' | ']'))
        && !text.starts_with('$');
    is_key.then(|| text.to_owned())
}
