//! Google reCAPTCHA: <https://developers.google.com/recaptcha/docs/>.

use super::{ActionFormat, CaptchaProvider, CspSources, WidgetInfo};

/// reCAPTCHA v2: a checkbox, or invisible.
pub(super) const V2: CaptchaProvider = CaptchaProvider {
    name: "recaptcha_v2",
    response_field: "g-recaptcha-response",
    verify_url: "https://www.google.com/recaptcha/api/siteverify",
    sends_site_key: false,
    max_token: 8 * 1024,
    action: None,
    scored: false,
    widget: WidgetInfo {
        class: Some("g-recaptcha"),
        script: "https://www.google.com/recaptcha/api.js",
        language_parameter: Some("hl"),
        site_key_parameter: None,
        // https://developers.google.com/recaptcha/docs/faq
        sources: CspSources {
            script: "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
            frame: "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
            style: "",
            connect: "https://www.google.com/recaptcha/",
        },
    },
};

/// reCAPTCHA v3: a score and no visible element.
pub(super) const V3: CaptchaProvider = CaptchaProvider {
    name: "recaptcha_v3",
    // Google's documentation of version 3.
    action: Some(ActionFormat {
        max_length: usize::MAX,
        symbols: b"/_",
        expected: "the action of the page, for recaptcha_v3: a-z, A-Z, 0-9, / and _",
    }),
    scored: true,
    widget: WidgetInfo { class: None, site_key_parameter: Some("render"), ..V2.widget },
    ..V2
};
