//! `[challenge.captcha]`: the service that judges a captcha in place of the proof of work.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::reader::Reader;

/// A captcha service and what its answers have to say.
#[derive(Debug, Clone)]
pub struct CaptchaSettings {
    /// Which one.
    pub provider: Provider,
    /// The public key that a page gives its widget.
    pub site_key: String,
    /// The secret of the verification.
    pub secret: SecretString,
    /// Where tokens are verified.
    pub verify_url: Url,
    /// The hosts whose pages may have shown the widget, in lower case. Not empty.
    pub hostnames: BTreeSet<String>,
    /// The action that the widget was given; `None` is not looked at.
    pub action: Option<String>,
    /// The least score, in hundredths; `None` is not looked at.
    pub min_score_percent: Option<u32>,
    /// What becomes of a sign-up while the service does not answer.
    pub on_unavailable: OnUnavailable,
    /// One verification in all.
    pub timeout: Duration,
}

/// A captcha service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Cloudflare Turnstile.
    Turnstile,
    /// hCaptcha.
    HCaptcha,
    /// Google reCAPTCHA v2: a box to tick, or invisible.
    ReCaptchaV2,
    /// Google reCAPTCHA v3: a score.
    ReCaptchaV3,
}

impl Provider {
    /// The name in the settings, in answers and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::HCaptcha => "hcaptcha",
            Self::ReCaptchaV2 => "recaptcha_v2",
            Self::ReCaptchaV3 => "recaptcha_v3",
        }
    }

    /// Where the service itself verifies tokens.
    const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::HCaptcha => "https://api.hcaptcha.com/siteverify",
            Self::ReCaptchaV2 | Self::ReCaptchaV3 => {
                "https://www.google.com/recaptcha/api/siteverify"
            }
        }
    }
}

/// What becomes of a sign-up while the captcha service does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// It goes on without a proof.
    Allow,
    /// It is refused.
    Reject,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<CaptchaSettings> {
    if reader.text("challenge.captcha.provider").is_none() {
        // Half a captcha is a sign-up that somebody believes to be guarded.
        for key in ["challenge.captcha.site_key", "challenge.captcha.secret"] {
            if reader.text(key).is_some() {
                reader.fault(key, "no value without challenge.captcha.provider");
            }
        }
        return None;
    }
    let providers =
        [Provider::Turnstile, Provider::HCaptcha, Provider::ReCaptchaV2, Provider::ReCaptchaV3];
    let provider = reader
        .choice(
            "challenge.captcha.provider",
            &providers.map(|provider| (provider.name(), provider)),
        )
        .unwrap_or(Provider::Turnstile);
    let site_key = reader.required("challenge.captcha.site_key", "the public key of the widget");
    let secret = reader.secret("challenge.captcha.secret");
    let min_score_percent = reader.integer("challenge.captcha.min_score_percent", &(0..=100));
    let min_score_percent = u32::try_from(min_score_percent).ok().filter(|score| *score > 0);
    let action = reader.text("challenge.captcha.action");
    scored(reader, provider, action.as_deref(), min_score_percent.is_some());
    let fail = reader.choice(
        "challenge.captcha.on_unavailable",
        &[("allow", OnUnavailable::Allow), ("reject", OnUnavailable::Reject)],
    );
    let hostnames = hostnames(reader);
    check_own(reader, &hostnames);
    let timeout = reader.millis("challenge.captcha.timeout_ms", 100..=10_000);
    Some(CaptchaSettings {
        provider,
        site_key,
        secret,
        verify_url: verify_url(reader, provider)?,
        hostnames,
        action,
        min_score_percent,
        on_unavailable: fail.unwrap_or(OnUnavailable::Reject),
        timeout,
    })
}

/// The service's own pages show the widget, also those that a form of another site is answered with.
/// So its host, where that is known, has to be one of them.
fn check_own(reader: &mut Reader<'_>, hostnames: &BTreeSet<String>) {
    if hostnames.is_empty() {
        return;
    }
    let public = reader.text("http.public_url").and_then(|text| Url::parse(&text).ok());
    let host = public.as_ref().and_then(Url::host_str);
    if let Some(host) = host.filter(|host| !hostnames.contains(*host)) {
        let expected = format!("{host} too: the service's own pages show the widget");
        reader.fault("challenge.captcha.hostnames", expected);
    }
}

/// Which services say an action and a score that can be asked for, and which have to.
fn scored(reader: &mut Reader<'_>, provider: Provider, action: Option<&str>, score: bool) {
    const ACTION: &str = "challenge.captcha.action";
    const SCORE: &str = "challenge.captcha.min_score_percent";
    match provider {
        Provider::ReCaptchaV3 => {
            // Without both any token of the site key passes, with score 0 too.
            if !score {
                reader.fault(SCORE, "1 to 100 with recaptcha_v3");
            }
            // A-Z, a-z, 0-9, / and _ (Google's documentation of version 3).
            if !action.is_some_and(|action| is_made_of(action, b"/_")) {
                reader.fault(
                    ACTION,
                    "the action of the page with recaptcha_v3: a-z, A-Z, 0-9, / and _",
                );
            }
        }
        Provider::Turnstile | Provider::HCaptcha | Provider::ReCaptchaV2 => {
            if score {
                // hCaptcha's, where a plan has one, counts the other way.
                reader.fault(SCORE, "0, save with recaptcha_v3");
            }
            match (provider, action) {
                // Cloudflare's documentation of the widget.
                (Provider::Turnstile, Some(action))
                    if action.len() > 32 || !is_made_of(action, b"_-") =>
                {
                    reader.fault(ACTION, "at most 32 of a-z, A-Z, 0-9, _ and - with turnstile");
                }
                (Provider::Turnstile, _) | (_, None) => {}
                (_, Some(_)) => {
                    reader.fault(ACTION, "no value, save with turnstile and recaptcha_v3");
                }
            }
        }
    }
}

/// Whether the text is of letters, digits and these.
fn is_made_of(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// The service's own address, or another that speaks as it does. The secret goes there, so it has
/// to be https; http:// for loopback only.
fn verify_url(reader: &mut Reader<'_>, provider: Provider) -> Option<Url> {
    let text = reader.text("challenge.captcha.verify_url");
    let url = Url::parse(text.as_deref().unwrap_or(provider.verify_url())).ok().filter(|url| {
        let local = match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => return false,
        };
        let anonymous = url.username().is_empty() && url.password().is_none();
        anonymous && (url.scheme() == "https" || (url.scheme() == "http" && local))
    });
    if url.is_none() {
        reader
            .fault("challenge.captcha.verify_url", "an https address (http:// for loopback only)");
    }
    url
}

/// Always asked for: a token that was solved on somebody else's page has their host in it.
fn hostnames(reader: &mut Reader<'_>) -> BTreeSet<String> {
    const EXPECTED: &str = "the hosts of the pages that show the widget, such as www.example.com \
                            (no scheme, no port)";
    let names: BTreeSet<_> =
        reader.list("challenge.captcha.hostnames").iter().map(|name| name.to_lowercase()).collect();
    let good = |name: &String| Host::parse(name).is_ok_and(|host| host.to_string() == *name);
    if names.is_empty() || !names.iter().all(good) {
        reader.fault("challenge.captcha.hostnames", EXPECTED);
    }
    names
}
