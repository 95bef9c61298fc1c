//! The style of the pages with the operator's colours, and the `Content-Security-Policy` that
//! allows only what the pages load.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use url::Url;

use super::widget::Widget;
use crate::captcha_provider::CspSources;
use crate::config::{PageSettings, Palette};

/// The style rules, with the operator's colours as custom properties.
static RULES: &str = include_str!("assets/page.css");

/// The style and the policy of all pages of a deployment.
#[derive(Debug)]
pub(super) struct Theme {
    /// The content of the only `style` element. It is inline, so that an error page needs no second
    /// request.
    pub(super) style: String,
    /// `Content-Security-Policy`: allows the scripts of this service and of the captcha, and the
    /// inline style by its hash.
    pub(super) policy: HeaderValue,
}

impl Theme {
    pub(super) fn new(settings: &PageSettings, widget: Option<&Widget>) -> Self {
        let (light, dark) = (variables(settings.light), variables(settings.dark));
        let style = format!(
            ":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n{RULES}"
        );
        let policy = HeaderValue::try_from(policy(settings, widget, &style));
        // Origins are ASCII, so the value is valid.
        let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { style, policy }
    }
}

fn variables(palette: Palette) -> String {
    let Palette { accent, background } = palette;
    format!("--accent:{accent};--on-accent:{};--background:{background}", accent.text_colour())
}

fn policy(settings: &PageSettings, widget: Option<&Widget>, style: &str) -> String {
    let sources = widget.map(Widget::sources).unwrap_or_default();
    let hash = BASE64_STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let hash = format!("'sha256-{hash}'");
    let origin = |url: &Url| url.origin().ascii_serialization();
    let logo = settings.logo.as_ref().map(origin).unwrap_or_default();
    // Chrome also applies form-action to the redirect after a post.
    let targets = settings.return_to.iter().map(|address| &address.url);
    let targets: BTreeSet<_> = targets.chain(&settings.success_url).map(origin).collect();
    let targets = Vec::from_iter(targets).join(" ");
    let CspSources { script, frame, style, connect } = sources;
    let directives = [
        ("default-src", vec!["'none'"]),
        ("style-src", vec![&hash, style]),
        ("script-src", vec!["'self'", script]),
        ("connect-src", vec!["'self'", connect]),
        ("frame-src", vec![if frame.is_empty() { "'none'" } else { frame }]),
        ("img-src", vec!["data:", &logo]),
        ("form-action", vec!["'self'", &targets]),
        ("base-uri", vec!["'none'"]),
        ("frame-ancestors", vec!["'none'"]),
    ];
    directives.map(|(name, sources)| format!("{name} {}", sources.join(" ").trim())).join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captcha_provider::CaptchaProvider;
    use crate::config::{CaptchaSettings, OnUnavailable, load};

    fn policy_with(captcha: Option<&str>) -> String {
        let variables = [
            ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
            ("AUTH0_CLIENT_ID", "id"),
            ("AUTH0_CLIENT_SECRET", "secret"),
        ];
        let settings = load(None, variables.map(|(name, value)| (name.into(), value.into())));
        let widget = captcha.map(|name| {
            let provider = CaptchaProvider::ALL.into_iter().find(|known| known.name == name);
            let provider = provider.unwrap();
            Widget::new(&CaptchaSettings {
                provider,
                site_key: "site".to_owned(),
                secret: "secret".into(),
                verify_url: "https://example.com".parse().unwrap(),
                hostnames: BTreeSet::new(),
                action: None,
                min_score_percent: None,
                on_unavailable: OnUnavailable::Reject,
                timeout: std::time::Duration::ZERO,
                proxy: None,
            })
        });
        policy(&settings.unwrap().page, widget.as_ref(), "style")
    }

    #[test]
    fn the_policy_allows_the_page_itself_and_the_documented_sources_of_a_captcha() {
        let hash = BASE64_STANDARD.encode(digest(&SHA256, b"style"));
        let expected = |[style, script, connect, frame]: [&str; 4]| {
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'{style}; script-src 'self'{script}; \
                 connect-src 'self'{connect}; frame-src {frame}; img-src data:; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            )
        };
        assert_eq!(policy_with(None), expected(["", "", "", "'none'"]));

        let turnstile = "https://challenges.cloudflare.com";
        let allowed = ["", &format!(" {turnstile}"), "", turnstile];
        assert_eq!(policy_with(Some("turnstile")), expected(allowed));

        let hcaptcha = " https://hcaptcha.com https://*.hcaptcha.com";
        let allowed = [hcaptcha, hcaptcha, hcaptcha, hcaptcha.trim()];
        assert_eq!(policy_with(Some("hcaptcha")), expected(allowed));

        let allowed = [
            "",
            " https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
            " https://www.google.com/recaptcha/",
            "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
        ];
        for provider in ["recaptcha_v2", "recaptcha_v3"] {
            assert_eq!(policy_with(Some(provider)), expected(allowed));
        }
    }
}
