//! The parts of a form that show whether a person filled it in. Copied before the form is dropped,
//! and evaluated later, if at all.

use std::fmt;

use secrecy::SecretString;

use crate::captcha_provider::CaptchaProvider;
use crate::form::{ControlField, Submission};

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
        let text = |control| form.control(control).trimmed();
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
