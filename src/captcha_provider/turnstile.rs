//! Cloudflare Turnstile: <https://developers.cloudflare.com/turnstile/>.

use super::{ActionFormat, CaptchaProvider, CspSources, WidgetInfo};

/// Cloudflare Turnstile.
pub(super) const TURNSTILE: CaptchaProvider = CaptchaProvider {
    name: "turnstile",
    response_field: "cf-turnstile-response",
    verify_url: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    sends_site_key: false,
    // Cloudflare's own bound.
    max_token: 2 * 1024,
    // Cloudflare's documentation of the widget.
    action: Some(ActionFormat {
        max_length: 32,
        symbols: b"_-",
        expected: "at most 32 of a-z, A-Z, 0-9, _ and -, for turnstile",
    }),
    scored: false,
    widget: WidgetInfo {
        class: Some("cf-turnstile"),
        script: "https://challenges.cloudflare.com/turnstile/v0/api.js",
        language_parameter: None,
        site_key_parameter: None,
        // https://developers.cloudflare.com/turnstile/reference/content-security-policy/
        sources: CspSources {
            script: "https://challenges.cloudflare.com",
            frame: "https://challenges.cloudflare.com",
            style: "",
            connect: "",
        },
    },
};
