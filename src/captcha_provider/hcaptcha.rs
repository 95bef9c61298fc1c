//! hCaptcha: <https://docs.hcaptcha.com/>.

use super::{CaptchaProvider, CspSources, WidgetInfo};

/// The sources of every directive: <https://docs.hcaptcha.com/#content-security-policy-settings>.
const SOURCES: &str = "https://hcaptcha.com https://*.hcaptcha.com";

/// hCaptcha. Its score, on plans that have one, rises with the risk and is not supported.
pub(super) const HCAPTCHA: CaptchaProvider = CaptchaProvider {
    name: "hcaptcha",
    response_field: "h-captcha-response",
    verify_url: "https://api.hcaptcha.com/siteverify",
    sends_site_key: true,
    max_token: 8 * 1024,
    action: None,
    scored: false,
    widget: WidgetInfo {
        class: Some("h-captcha"),
        script: "https://js.hcaptcha.com/1/api.js",
        language_parameter: Some("hl"),
        site_key_parameter: None,
        sources: CspSources { script: SOURCES, frame: SOURCES, style: SOURCES, connect: SOURCES },
    },
};
