//! `existence` and `[existence_uniform]`: whether responses reveal that an e-mail address has an
//! account.

use std::time::Duration;

use super::identifiers::{CLIENT_ID, parse_client_id};
use super::reader::Reader;

/// The existence mode: responses reveal or hide that an e-mail address has an account.
#[derive(Debug, Clone)]
pub enum ExistenceSettings {
    /// The response is 409 `email_taken`.
    Reveal,
    /// New and existing addresses get the same response.
    Uniform(ExistenceUniformSettings),
}

impl ExistenceSettings {
    /// The time after which every response leaves; zero if nothing is hidden.
    pub const fn floor(&self) -> Duration {
        match self {
            Self::Reveal => Duration::ZERO,
            Self::Uniform(uniform) => uniform.floor,
        }
    }

    /// The client id of the application that emails the owner of an existing address. `None`: no
    /// email is sent.
    pub fn mail_client_id(&self) -> Option<&str> {
        match self {
            Self::Reveal => None,
            Self::Uniform(uniform) => uniform.mail_client_id.as_deref(),
        }
    }
}

/// The details of `existence = "uniform"`.
#[derive(Debug, Clone)]
pub struct ExistenceUniformSettings {
    /// The time after which every response about an address or a key leaves.
    pub floor: Duration,
    /// The client id of the application that emails the owner of an existing address. `None`: no
    /// email is sent.
    pub mail_client_id: Option<String>,
}

/// The fields whose errors would distinguish existing users from new ones.
const REVEALING_FIELDS: [&str; 2] = ["fields.username", "fields.phone_number"];

pub(super) fn read(reader: &mut Reader<'_>) -> Option<ExistenceSettings> {
    let uniform = reader.choice("existence", &[("reveal", false), ("uniform", true)]);
    let floor = reader.millis("existence_uniform.floor_ms", 0..=10_000);
    let notify = reader.flag("existence_uniform.notify_existing");
    let client_id = reader.parsed("existence_uniform.mail_client_id", CLIENT_ID, parse_client_id);
    if notify && reader.text("existence_uniform.mail_client_id").is_none() {
        reader.reject(
            "existence_uniform.mail_client_id",
            "the client id of an application of this connection, because \
             existence_uniform.notify_existing is on",
        );
    }
    if !uniform? {
        reader.ignore_number("existence_uniform.floor_ms");
        return Some(ExistenceSettings::Reveal);
    }
    for key in REVEALING_FIELDS {
        if reader.text(key).is_some_and(|presence| presence != "off") {
            reader.reject(
                key,
                "off with existence = uniform, because its errors reveal existing accounts",
            );
        }
    }
    let mail_client_id = client_id.filter(|_| notify);
    Some(ExistenceSettings::Uniform(ExistenceUniformSettings { floor, mail_client_id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn read_with(variables: &[(&str, &str)]) -> Result<ExistenceSettings, Vec<String>> {
        let (layers, errors) = Layers::from_variables(variables);
        let mut reader = Reader::new(&layers, errors);
        let existence = read(&mut reader);
        reader.finish(existence).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn existence_is_revealed_by_default() {
        assert!(matches!(read_with(&[]), Ok(ExistenceSettings::Reveal)));
        let uniform = read_with(&[("SIGNUP__EXISTENCE", "uniform")]);
        assert!(matches!(uniform, Ok(ExistenceSettings::Uniform(_))));
    }

    /// The request's deadline would cut the floor for a body that arrives late.
    #[test]
    fn a_floor_has_to_fit_behind_the_slowest_body() {
        let errors = |existence: &str, floor: &str| {
            let (layers, errors) = Layers::from_variables(&[
                ("SIGNUP__EXISTENCE", existence),
                ("SIGNUP__EXISTENCE_UNIFORM__FLOOR_MS", floor),
            ]);
            let mut reader = Reader::new(&layers, errors);
            reader.millis("http.body_timeout_ms", 1..=60_000);
            reader.millis("http.request_timeout_ms", 1..=60_000);
            read(&mut reader).unwrap();
            reader.into_errors().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(errors("uniform", "5000"), [""; 0]);
        let [error] = &errors("uniform", "5001")[..] else { panic!("one error") };
        assert!(error.contains("http.body_timeout_ms + existence_uniform.floor_ms"), "{error}");
        assert_eq!(errors("reveal", "5001"), [""; 0]);
    }

    #[test]
    fn fields_that_reveal_existence_are_reported_together() {
        let errors = read_with(&[
            ("SIGNUP__EXISTENCE", "uniform"),
            ("SIGNUP__FIELDS__USERNAME", "optional"),
            ("SIGNUP__FIELDS__PHONE_NUMBER", "required"),
            ("SIGNUP__EXISTENCE_UNIFORM__NOTIFY_EXISTING", "true"),
        ])
        .unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
        let keys = ["existence_uniform.mail_client_id", "fields.username", "fields.phone_number"];
        for key in keys {
            assert!(errors.iter().any(|error| error.starts_with(key)), "{errors:?}");
        }
    }
}
