//! `existence` and `[uniform]`: whether callers are told that an e-mail address has an account.

use std::time::Duration;

use super::reader::Reader;

/// Whether callers are told that an e-mail address has an account.
#[derive(Debug, Clone)]
pub enum Existence {
    /// They are: 409 `email_taken`.
    Reveal,
    /// New and known addresses are answered alike.
    Uniform(UniformSettings),
}

impl Existence {
    /// In whose name the owner of a known address is told of attempts to sign up with it.
    pub fn owner_mail_client_id(&self) -> Option<&str> {
        match self {
            Self::Reveal => None,
            Self::Uniform(uniform) => uniform.owner_mail_client_id.as_deref(),
        }
    }
}

/// How new and known addresses are answered alike.
#[derive(Debug, Clone)]
pub struct UniformSettings {
    /// How long an answer takes at the least while too few sign-ups have shown what is usual.
    pub first_pace: Duration,
    /// Whose mail tells the owner of an address that somebody tried to sign up with it: the
    /// client id of an application. `None`: nobody is told.
    pub owner_mail_client_id: Option<String>,
}

/// The fields whose refusal tells known users from new ones.
const TELLING: [&str; 2] = ["fields.username", "fields.phone_number"];

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Existence> {
    let uniform = reader.choice("existence", &[("reveal", false), ("uniform", true)]);
    let first_pace = reader.millis("uniform.first_pace_ms", 0..=10_000);
    let tell = reader.flag("uniform.tell_owner");
    let client_id = reader.text("uniform.mail_client_id");
    if tell && client_id.is_none() {
        reader.fault(
            "uniform.mail_client_id",
            "the client id of an application of this connection, since uniform.tell_owner is on",
        );
    }
    if !uniform? {
        return Some(Existence::Reveal);
    }
    for key in TELLING {
        if reader.text(key).is_some_and(|presence| presence != "off") {
            reader.fault(key, "off with existence = uniform: that it is taken would tell the rest");
        }
    }
    let owner_mail_client_id = client_id.filter(|_| tell);
    Some(Existence::Uniform(UniformSettings { first_pace, owner_mail_client_id }))
}
