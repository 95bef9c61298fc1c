//! The parts of a form that show whether a person filled it in. Copied before the form is dropped,
//! and evaluated later, if at all.

use std::fmt;

use secrecy::SecretString;

use crate::captcha_provider::CaptchaProvider;
use crate::form::{ControlField, Submission};

/// Stands for a token or proof that is too long to be kept. Every check rejects it.
const WRONG: &str = " ";

/// The parts of a form that show whether a person filled it in.
#[derive(Default)]
pub struct ClientSignals {
    /// The field that a person leaves empty was filled in.
    pub(super) honeypot_filled: bool,
    /// The token of the built-in page's form.
    pub(super) form_token: Option<String>,
    /// The proof of work, or the token of the captcha.
    pub(super) proof: Option<SecretString>,
}

impl ClientSignals {
    /// The signals of this form.
    pub(super) fn from_form(
        form: &Submission<'_>,
        honeypot: Option<&str>,
        captcha: Option<&'static CaptchaProvider>,
    ) -> Self {
        let text = |control| {
            let text = form.control(control).trimmed()?;
            Some(if text.len() > ControlField::MAX_BYTES { WRONG } else { text })
        };
        Self {
            honeypot_filled: honeypot.is_some_and(|name| form.is_filled(name)),
            form_token: text(ControlField::FormToken).map(str::to_owned),
            proof: text(captcha.map_or(ControlField::Altcha, ControlField::Captcha))
                .map(Into::into),
        }
    }
}

impl fmt::Debug for ClientSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSignals")
            .field("honeypot_filled", &self.honeypot_filled)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::form::BodyValue;

    #[test]
    fn what_is_kept_of_a_proof_is_bounded() {
        let kept = |length: usize| {
            let value =
                |name: &'static str| (name.into(), BodyValue::Text("x".repeat(length).into()));
            let form = Submission::new(vec![value("altcha"), value("form_token")]);
            let signals = ClientSignals::from_form(&form, None, None);
            [signals.proof.unwrap().expose_secret().len(), signals.form_token.unwrap().len()]
        };
        assert_eq!(kept(ControlField::MAX_BYTES), [ControlField::MAX_BYTES; 2]);
        assert_eq!(kept(ControlField::MAX_BYTES + 1), [1; 2]);
    }
}
