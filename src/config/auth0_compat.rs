//! `[auth0_compat]`: Auth0's public sign-up endpoint for Lock, auth0.js and the SDKs.

use super::challenge::{ChallengeSettings, Required};
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

/// Reads the section. Returns `None` if the endpoint is off.
pub(super) fn read(
    reader: &mut Reader<'_>,
    challenge: &ChallengeSettings,
) -> Option<Auth0CompatSettings> {
    let enabled = reader.flag("auth0_compat.enabled");
    let settings = Auth0CompatSettings {
        client_ids: reader.list("auth0_compat.client_ids"),
        connection: reader.text("auth0_compat.connection"),
        without_challenge: reader.flag("auth0_compat.without_challenge"),
    };
    // Pressure requires a proof only sometimes. These two settings always require one.
    let always_required = challenge.required == Required::Always || challenge.form_token_required;
    if enabled && always_required && !settings.without_challenge {
        let expected = "true, or auth0_compat.enabled = false: Lock cannot send the proof that \
                        challenge.required = always and challenge.form_token_required require";
        reader.reject("auth0_compat.without_challenge", expected);
    }
    enabled.then_some(settings)
}
