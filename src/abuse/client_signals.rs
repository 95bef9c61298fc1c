//! What came with a form that says who filled it in. Taken from the form before it is dropped, and
//! judged later, if at all.

use std::fmt;

use secrecy::SecretString;

use crate::config::Provider;
use crate::form::{ControlField, Submission};

/// What came with a form that says who filled it in.
#[derive(Default)]
pub struct ClientSignals {
    /// Whether the field that people leave empty was filled in.
    pub(super) trapped: bool,
    /// The token of the built-in page's form.
    pub(super) form_token: Option<String>,
    /// The proof of work, or the token of the captcha.
    pub(super) proof: Option<SecretString>,
}

impl ClientSignals {
    /// What this form says.
    pub(super) fn of(
        form: &Submission<'_>,
        honeypot: Option<&str>,
        captcha: Option<Provider>,
        tokens: bool,
    ) -> Self {
        let given = |control| form.control(control).trimmed();
        Self {
            trapped: honeypot.is_some_and(|name| form.is_filled(name)),
            form_token: given(ControlField::FormToken).filter(|_| tokens).map(str::to_owned),
            proof: given(proof_field(captcha)).map(Into::into),
        }
    }
}

impl fmt::Debug for ClientSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSignals").field("trapped", &self.trapped).finish_non_exhaustive()
    }
}

/// The field that the proof comes in.
const fn proof_field(captcha: Option<Provider>) -> ControlField {
    match captcha {
        None => ControlField::Altcha,
        Some(Provider::Turnstile) => ControlField::Turnstile,
        Some(Provider::HCaptcha) => ControlField::HCaptcha,
        Some(Provider::ReCaptchaV2 | Provider::ReCaptchaV3) => ControlField::ReCaptcha,
    }
}
