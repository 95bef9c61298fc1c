//! The style of the pages with the operator's colours, and the `Content-Security-Policy` that
//! allows only what the pages load.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use url::{Host, Url};

use super::widget::Widget;
use crate::captcha_provider::CspSources;
use crate::config::{Colour, PageSettings, Palette};

/// The style rules, with the operator's colours as custom properties.
static RULES: &str = include_str!("assets/page.css");

/// The style and the policy of all pages of a deployment.
#[derive(Debug)]
pub(super) struct Theme {
    /// The content of the only `style` element. It is inline, so that an error page needs no second
    /// request.
    pub(super) style: String,
    /// The header of that name: allows the scripts of this service and of the captcha, and the inline
    /// style by its hash.
    pub(super) content_security_policy: HeaderValue,
}

impl Theme {
    pub(super) fn new(settings: &PageSettings, widget: Option<&Widget>) -> Self {
        let light = variables(settings.light, SURFACE_LIGHT);
        let dark = variables(settings.dark, SURFACE_DARK);
        let PageSettings { radius, font, .. } = settings;
        // Each comment is a line of its own.
        let rules = RULES.lines().map(str::trim_start).filter(|line| !line.starts_with("/*"));
        let rules = rules.collect::<Vec<_>>().join("\n");
        let style = format!(
            ":root{{{light};--radius:{radius}px;--font:{font}}}\
             @media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"
        );
        let policy = HeaderValue::try_from(content_security_policy(settings, widget, &style));
        // Origins are ASCII, so the value is valid.
        let content_security_policy =
            policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { style, content_security_policy }
    }
}

/// The colours of the card that the form is on, as in `page.css`.
const SURFACE_LIGHT: Colour = Colour::WHITE;
const SURFACE_DARK: Colour = Colour::from_rgb([0x19, 0x1d, 0x24]);

/// The contrast of text with what is behind it (WCAG 2.2, 1.4.3).
const TEXT_CONTRAST: f64 = 4.5;

/// The contrast of the edge of a button (WCAG 2.2, 1.4.11).
const EDGE_CONTRAST: f64 = 3.0;

/// The operator's colours on this surface. The accent as a colour of text and edges is darker or
/// lighter where it would not be readable.
fn variables(palette: Palette, surface: Colour) -> String {
    let Palette { accent, background } = palette;
    let (text, link) = (accent.text_colour(), accent.readable_on(surface, TEXT_CONTRAST));
    let edge = accent.readable_on(surface, EDGE_CONTRAST);
    format!(
        "--accent:{accent};--on-accent:{text};--edge:{edge};--link:{link};--background:{background}"
    )
}

/// The origin of a URL, and the same with `www.` or without it: sites redirect from one to the
/// other.
fn with_sibling(url: &Url) -> Vec<String> {
    let mut origins = vec![url.origin().ascii_serialization()];
    if let Some(Host::Domain(domain)) = url.host() {
        let sibling = match domain.strip_prefix("www.") {
            Some(apex) => apex.to_owned(),
            None => format!("www.{domain}"),
        };
        let mut other = url.clone();
        // An address of a single label, such as localhost, has no sibling.
        if domain.contains('.') && other.set_host(Some(&sibling)).is_ok() {
            origins.push(other.origin().ascii_serialization());
        }
    }
    origins
}

fn content_security_policy(
    settings: &PageSettings,
    widget: Option<&Widget>,
    style: &str,
) -> String {
    let sources = widget.map(Widget::sources).unwrap_or_default();
    let hash = BASE64_STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let hash = format!("'sha256-{hash}'");
    let origin = |url: &Url| url.origin().ascii_serialization();
    let logos: BTreeSet<_> = settings.logo.iter().chain(&settings.logo_dark).map(origin).collect();
    let logos = Vec::from_iter(logos).join(" ");
    let targets = Vec::from_iter(targets(settings)).join(" ");
    let CspSources { script, frame, style, connect } = sources;
    let directives = [
        ("default-src", vec!["'none'"]),
        ("style-src", vec![&hash, style]),
        ("script-src", vec!["'self'", script]),
        ("connect-src", vec!["'self'", connect]),
        ("frame-src", vec![if frame.is_empty() { "'none'" } else { frame }]),
        ("img-src", vec!["data:", &logos]),
        ("form-action", vec!["'self'", &targets]),
        ("base-uri", vec!["'none'"]),
        ("frame-ancestors", vec!["'none'"]),
    ];
    directives.map(|(name, sources)| format!("{name} {}", sources.join(" ").trim())).join("; ")
}

/// The origins that a browser may pass through after a post: Chromium applies `form-action` to
/// each redirect. None for a page that redirects nowhere else.
fn targets(settings: &PageSettings) -> BTreeSet<String> {
    let targets = settings.return_to.iter().map(|address| &address.url);
    let mut targets = targets.chain(&settings.success_url).peekable();
    if targets.peek().is_none() {
        return BTreeSet::new();
    }
    let targets = targets.chain(&settings.login_url).flat_map(with_sibling);
    targets.chain(settings.redirect_origins.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captcha_provider::CaptchaProvider;
    use crate::config::{CaptchaSettings, OnUnavailable, OutboundSettings, load};

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
                outbound: OutboundSettings { authorities: Vec::new(), proxy: None },
            })
        });
        content_security_policy(&settings.unwrap().page, widget.as_ref(), "style")
    }

    #[test]
    fn the_surfaces_are_those_of_the_style() {
        assert!(RULES.contains("--surface: #fff;"));
        assert!(RULES.contains(&format!("--surface: {SURFACE_DARK};")));
    }

    #[test]
    fn a_site_with_and_without_www_are_siblings() {
        let siblings = |url: &str| with_sibling(&url.parse().unwrap()).join(" ");
        let both = "https://example.com https://www.example.com";
        assert_eq!(siblings("https://example.com/welcome"), both);
        assert_eq!(
            siblings("https://www.example.com/"),
            "https://www.example.com https://example.com"
        );
        assert_eq!(siblings("http://localhost:3000/"), "http://localhost:3000");
        assert_eq!(siblings("http://127.0.0.1:3000/"), "http://127.0.0.1:3000");
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
