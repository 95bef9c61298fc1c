//! `existence` and `[existence_uniform]`: whether callers are told that an e-mail address has an account.

use std::time::Duration;

use super::reader::Reader;

/// Whether callers are told that an e-mail address has an account.
#[derive(Debug, Clone)]
pub enum Existence {
    /// They are: 409 `email_taken`.
    Reveal,
    /// New and known addresses are answered alike.
    Uniform(ExistenceUniformSettings),
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
pub struct ExistenceUniformSettings {
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
    let first_pace = reader.millis("existence_uniform.initial_floor_ms", 0..=10_000);
    let tell = reader.flag("existence_uniform.notify_existing");
    let client_id = reader.text("existence_uniform.mail_client_id");
    if tell && client_id.is_none() {
        reader.fault(
            "existence_uniform.mail_client_id",
            "the client id of an application of this connection, since existence_uniform.notify_existing is on",
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
    Some(Existence::Uniform(ExistenceUniformSettings { first_pace, owner_mail_client_id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigErrors, Layers};

    fn read_with(variables: &[(&str, &str)]) -> Result<Existence, Vec<String>> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let mut faults = ConfigErrors::default();
        let layers = Layers::read(None, variables, &mut faults).unwrap();
        let mut reader = Reader::new(&layers, faults);
        let existence = read(&mut reader).unwrap();
        reader.finish(existence).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn it_is_revealed_unless_asked() {
        assert!(matches!(read_with(&[]), Ok(Existence::Reveal)));
        let uniform = read_with(&[("SIGNUP__EXISTENCE", "uniform")]);
        assert!(matches!(uniform, Ok(Existence::Uniform(_))));
    }

    #[test]
    fn what_would_tell_all_the_same_is_refused_with_all_faults() {
        let faults = read_with(&[
            ("SIGNUP__EXISTENCE", "uniform"),
            ("SIGNUP__FIELDS__USERNAME", "optional"),
            ("SIGNUP__FIELDS__PHONE_NUMBER", "required"),
            ("SIGNUP__EXISTENCE_UNIFORM__NOTIFY_EXISTING", "true"),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        let keys = ["existence_uniform.mail_client_id", "fields.username", "fields.phone_number"];
        for key in keys {
            assert!(faults.iter().any(|fault| fault.starts_with(key)), "{faults:?}");
        }
    }
}
