//! The captcha on the form: its element, its script, and the sources that these load from.

use std::fmt::Write as _;

use url::form_urlencoded::byte_serialize;

use crate::config::{CaptchaSettings, Provider};

/// The widget of a captcha service.
#[derive(Debug)]
pub(super) struct Widget {
    provider: Provider,
    /// The public key.
    pub(super) site_key: String,
    /// The action that the token is issued for.
    pub(super) action: Option<String>,
}

/// Sources that the `Content-Security-Policy` must allow for a widget, as its service documents them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sources {
    /// `script-src`
    pub(super) script: &'static str,
    /// `frame-src`
    pub(super) frame: &'static str,
    /// `style-src`
    pub(super) style: &'static str,
    /// `connect-src`
    pub(super) connect: &'static str,
}

impl Widget {
    /// The widget of a captcha.
    pub(super) fn new(captcha: &CaptchaSettings) -> Self {
        let CaptchaSettings { provider, site_key, action, .. } = captcha.clone();
        Self { provider, site_key, action }
    }

    /// The class by which the service's script finds its element. `None` if it has no element, and
    /// `/signup.js` requests the token.
    pub(super) const fn class(&self) -> Option<&'static str> {
        match self.provider {
            Provider::Turnstile => Some("cf-turnstile"),
            Provider::HCaptcha => Some("h-captcha"),
            Provider::ReCaptchaV2 => Some("g-recaptcha"),
            Provider::ReCaptchaV3 => None,
        }
    }

    /// The address of the service's script for a page in this language.
    pub(super) fn script(&self, lang: &str) -> String {
        match self.provider {
            // Reads the language from its element.
            Provider::Turnstile => {
                "https://challenges.cloudflare.com/turnstile/v0/api.js".to_owned()
            }
            Provider::HCaptcha => format!("https://js.hcaptcha.com/1/api.js?hl={lang}"),
            Provider::ReCaptchaV2 => format!("{RECAPTCHA}?hl={lang}"),
            Provider::ReCaptchaV3 => {
                let mut script = format!("{RECAPTCHA}?hl={lang}&render=");
                // Writing to a string cannot fail.
                byte_serialize(self.site_key.as_bytes()).for_each(|part| {
                    let _unfailing = script.write_str(part);
                });
                script
            }
        }
    }

    /// The sources of the widget: <https://developers.cloudflare.com/turnstile/reference/content-security-policy/>,
    /// <https://docs.hcaptcha.com/#content-security-policy-settings>,
    /// <https://developers.google.com/recaptcha/docs/faq>.
    pub(super) const fn sources(&self) -> Sources {
        const HCAPTCHA: &str = "https://hcaptcha.com https://*.hcaptcha.com";
        match self.provider {
            Provider::Turnstile => Sources {
                script: "https://challenges.cloudflare.com",
                frame: "https://challenges.cloudflare.com",
                style: "",
                connect: "",
            },
            Provider::HCaptcha => {
                Sources { script: HCAPTCHA, frame: HCAPTCHA, style: HCAPTCHA, connect: HCAPTCHA }
            }
            Provider::ReCaptchaV2 | Provider::ReCaptchaV3 => Sources {
                script: "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
                frame: "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
                style: "",
                connect: "https://www.google.com/recaptcha/",
            },
        }
    }
}

/// Address of reCAPTCHA's script.
const RECAPTCHA: &str = "https://www.google.com/recaptcha/api.js";
