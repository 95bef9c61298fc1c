//! The fields that steer a sign-up and are never sent to Auth0.

use crate::captcha_provider::CaptchaProvider;

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
    /// `invitation`: reserved, and ignored.
    Invitation,
    /// `altcha`: a proof of work.
    Altcha,
    /// The token of a captcha, in the field of its service.
    Captcha(&'static CaptchaProvider),
}

impl ControlField {
    /// The most bytes of a value that is kept while its request waits: as many as the longest token of a
    /// captcha has. A longer `return_to` is ignored, and a longer proof is wrong.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// The number of control fields.
    pub(super) const COUNT: usize = Self::PLAIN.len() + CaptchaProvider::ALL.len();

    /// The control fields without those of captchas.
    const PLAIN: [Self; 8] = [
        Self::IdempotencyKey,
        Self::ReturnTo,
        Self::UiLocales,
        Self::Terms,
        Self::FormToken,
        Self::Charset,
        Self::Invitation,
        Self::Altcha,
    ];

    /// Every control field. Captcha services may share a name.
    fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().chain(CaptchaProvider::ALL.map(Self::Captcha))
    }

    /// The name in forms and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdempotencyKey => "idempotency_key",
            Self::ReturnTo => "return_to",
            Self::UiLocales => "ui_locales",
            Self::Terms => "terms",
            Self::FormToken => "form_token",
            Self::Charset => "_charset_",
            Self::Invitation => "invitation",
            Self::Altcha => "altcha",
            Self::Captcha(provider) => provider.response_field,
        }
    }

    /// The names of all control fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(Self::name)
    }

    /// Returns the first control field with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|field| field.name() == name)
    }

    /// The position of the first control field with this name, below [`Self::COUNT`].
    pub(super) fn index_of(name: &str) -> Option<usize> {
        Self::all().position(|field| field.name() == name)
    }
}
