//! `[auth0_compat]`: Auth0's public sign-up endpoint for Lock, auth0.js and the SDKs.

use super::challenge::{ChallengeSettings, Required};
use super::reader::Reader;

/// What is asked of those who use Auth0's endpoint.
#[derive(Debug, Clone)]
pub struct Auth0CompatSettings {
    /// The applications that may sign people up; none is any.
    pub client_ids: Vec<String>,
    /// The connection that may be named; `None` is any.
    pub connection: Option<String>,
    /// Whether sign-ups are let through without a proof.
    pub without_challenge: bool,
}

/// `None` is off.
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
    // Under pressure alone a proof is asked for now and then; these ask for it every time.
    let unanswerable = challenge.required == Required::Always || challenge.form_token_required;
    if enabled && unanswerable && !settings.without_challenge {
        let expected = "true, or auth0_compat.enabled = false: Lock cannot bring the proof that \
                        challenge.required = always and challenge.form_token_required ask for";
        reader.fault("auth0_compat.without_challenge", expected);
    }
    enabled.then_some(settings)
}
