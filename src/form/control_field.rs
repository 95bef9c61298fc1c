//! The fields that steer a sign-up and are never sent to Auth0.

/// A field that steers the sign-up and is never sent to Auth0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlField {
    /// `idempotency_key`: the key of a form that cannot set a header.
    IdempotencyKey,
    /// `return_to`: where a browser is redirected afterwards.
    ReturnTo,
    /// `ui_locales`: the preferred languages of the response.
    UiLocales,
    /// `terms`: the terms are accepted.
    Terms,
    /// `form_token`: the built-in page's signed token.
    FormToken,
    /// `_charset_`: filled in by browsers with the form's encoding.
    Charset,
    /// `altcha`: a proof of work.
    Altcha,
    /// `cf-turnstile-response`
    Turnstile,
    /// `h-captcha-response`
    HCaptcha,
    /// `g-recaptcha-response`
    ReCaptcha,
}

impl ControlField {
    /// Every control field.
    pub const ALL: [Self; 10] = [
        Self::IdempotencyKey,
        Self::ReturnTo,
        Self::UiLocales,
        Self::Terms,
        Self::FormToken,
        Self::Charset,
        Self::Altcha,
        Self::Turnstile,
        Self::HCaptcha,
        Self::ReCaptcha,
    ];

    /// The name in forms and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdempotencyKey => "idempotency_key",
            Self::ReturnTo => "return_to",
            Self::UiLocales => "ui_locales",
            Self::Terms => "terms",
            Self::FormToken => "form_token",
            Self::Charset => "_charset_",
            Self::Altcha => "altcha",
            Self::Turnstile => "cf-turnstile-response",
            Self::HCaptcha => "h-captcha-response",
            Self::ReCaptcha => "g-recaptcha-response",
        }
    }

    /// Returns the control field with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
