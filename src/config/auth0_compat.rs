//! `[auth0_compat]`: Auth0's public sign-up endpoint for Lock, auth0.js and the SDKs.

use super::challenge::{ChallengeSettings, Required};
use super::identifiers::{CLIENT_ID, CONNECTION, parse_client_id, parse_connection};
use super::reader::Reader;

/// The rules for clients of Auth0's endpoint.
#[derive(Debug, Clone)]
pub struct Auth0CompatSettings {
    /// The client ids of the accepted applications; empty is any.
    pub client_ids: Vec<String>,
    /// The accepted connection; `None` is any.
    pub connection: Option<String>,
    /// Accepts sign-ups without a proof.
    pub without_challenge: bool,
}

/// Reads the section. Returns `None` if the endpoint is off: by its setting, or because a proof is
/// always required and the operator did not ask for the endpoint.
pub(super) fn read(
    reader: &mut Reader<'_>,
    challenge: &ChallengeSettings,
) -> Option<Auth0CompatSettings> {
    const SECTION: [&str; 3] =
        ["auth0_compat.enabled", "auth0_compat.client_ids", "auth0_compat.connection"];
    let enabled = reader.flag("auth0_compat.enabled");
    let settings = Auth0CompatSettings {
        client_ids: reader.entries("auth0_compat.client_ids", CLIENT_ID, parse_client_id),
        connection: reader.parsed("auth0_compat.connection", CONNECTION, parse_connection),
        without_challenge: reader.flag("auth0_compat.without_challenge"),
    };
    // Pressure requires a proof only sometimes. These two settings always require one.
    let always_required = challenge.required == Required::Always || challenge.form_token_required;
    let is_unusable = always_required && !settings.without_challenge;
    if enabled && is_unusable && SECTION.iter().any(|key| reader.is_set(key)) {
        let expected = "true, or auth0_compat.enabled = false: Lock cannot send the proof that \
                        challenge.required = always and challenge.form_token_required require";
        reader.reject("auth0_compat.without_challenge", expected);
    }
    (enabled && !is_unusable).then_some(settings)
}
