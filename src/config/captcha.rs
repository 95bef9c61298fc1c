//! `[challenge.captcha]`: a captcha service in place of the proof of work.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::outbound::{self, OutboundSettings};
use super::reader::Reader;
use super::urls;
use crate::captcha_provider::CaptchaProvider;

/// A captcha service and the checks of its responses.
#[derive(Debug, Clone)]
pub struct CaptchaSettings {
    /// The service.
    pub provider: &'static CaptchaProvider,
    /// The public key for the widget.
    pub site_key: String,
    /// The secret for verifications.
    pub secret: SecretString,
    /// The URL at which tokens are verified.
    pub verify_url: Url,
    /// The hosts whose pages may show the widget, in lower case. Not empty.
    pub hostnames: BTreeSet<String>,
    /// The action given to the widget; `None` is not checked.
    pub action: Option<String>,
    /// The minimum score, in hundredths; `None` is not checked.
    pub min_score_percent: Option<u32>,
    /// The handling of a sign-up while the service is unavailable.
    pub on_unavailable: OnUnavailable,
    /// The timeout of one verification.
    pub timeout: Duration,
    /// The certificates and the proxy for calls on https.
    pub outbound: OutboundSettings,
}

/// The handling of a sign-up while the captcha service is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// It continues without a proof, within the limits. `without_proof_per_hour` does not apply.
    Allow,
    /// It is rejected.
    Reject,
}

const HOSTNAMES: &str = "challenge.captcha.hostnames";

/// The expected entry of `challenge.captcha.hostnames`.
const HOSTNAME: &str = "the host of a page that shows the widget, such as www.example.com \
                        (no scheme, no port)";

/// The URL of the service, or of a compatible one. The secret is sent there.
const VERIFY_URL: &str = "challenge.captcha.verify_url";

/// Reads every key, and returns the captcha if there is one. An error in a key that is not used yet
/// would otherwise appear when an attack makes the operator switch the captcha on.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<CaptchaSettings> {
    const PROVIDER: &str = "challenge.captcha.provider";
    let providers = CaptchaProvider::ALL.map(|provider| (provider.name, provider));
    let provider = reader.optional_choice(PROVIDER, &providers);
    let min_score_percent = reader.number("challenge.captcha.min_score_percent", 0..=100);
    let min_score_percent = Some(min_score_percent).filter(|score| *score > 0);
    let action = reader.text("challenge.captcha.action");
    let on_unavailable = reader.choice(
        "challenge.captcha.on_unavailable",
        &[("allow", OnUnavailable::Allow), ("reject", OnUnavailable::Reject)],
    );
    let hostnames = reader.entries(HOSTNAMES, HOSTNAME, urls::parse_host).into_iter().collect();
    let timeout = reader.millis("challenge.captcha.timeout_ms", 100..=10_000);
    let verify_url = reader.parsed(VERIFY_URL, urls::SECURE_URL, urls::parse_secure);
    if !reader.is_given(PROVIDER) {
        reject_half(reader);
        return None;
    }
    let site_key = reader.required("challenge.captcha.site_key", "the public key of the widget");
    let secret = reader.secret("challenge.captcha.secret");
    check_hosts(reader, &hostnames);
    let provider = provider?;
    check_score(reader, provider, action.as_deref(), min_score_percent.is_some());
    let given = reader.is_given(VERIFY_URL);
    let verify_url = if given { verify_url } else { Url::parse(provider.verify_url).ok() }?;
    Some(CaptchaSettings {
        provider,
        site_key,
        secret,
        outbound: outbound::read(reader, Some(&verify_url)),
        verify_url,
        hostnames,
        action,
        min_score_percent,
        on_unavailable: on_unavailable.unwrap_or(OnUnavailable::Reject),
        timeout,
    })
}

/// Rejects half of a captcha: the operator would believe that sign-ups are protected.
fn reject_half(reader: &mut Reader<'_>) {
    for key in ["challenge.captcha.site_key", "challenge.captcha.secret"] {
        if reader.text(key).is_some() {
            reader.reject(key, "no value without challenge.captcha.provider");
        }
    }
}

/// Checks that there are hosts: a token that was solved on another site carries the host of that site.
/// The public host of this service, if known, has to be one of them. Its own pages show the widget,
/// including the pages returned for another site's form.
fn check_hosts(reader: &mut Reader<'_>, hostnames: &BTreeSet<String>) {
    if reader.list(HOSTNAMES).is_empty() {
        reader.reject(HOSTNAMES, HOSTNAME);
    }
    if hostnames.is_empty() {
        return;
    }
    let public = reader.text("http.public_url").and_then(|text| Url::parse(&text).ok());
    let host = public.as_ref().and_then(Url::host_str);
    if let Some(host) = host.filter(|host| !hostnames.contains(*host)) {
        let expected = format!("{host} too, because the service's own pages show the widget");
        reader.reject(HOSTNAMES, expected);
    }
}

/// Checks the action and the score against the service: some support them, others require them.
fn check_score(
    reader: &mut Reader<'_>,
    provider: &CaptchaProvider,
    action: Option<&str>,
    score: bool,
) {
    const ACTION: &str = "challenge.captcha.action";
    const SCORE: &str = "challenge.captcha.min_score_percent";
    let names = |has: fn(&CaptchaProvider) -> bool| {
        let having = CaptchaProvider::ALL.into_iter().filter(|provider| has(provider));
        having.map(|provider| provider.name).collect::<Vec<_>>().join(" and ")
    };
    if provider.scored && !score {
        reader.reject(SCORE, format!("1 to 100 for {}", provider.name));
    }
    if !provider.scored && score {
        reader.reject(SCORE, format!("0, except for {}", names(|provider| provider.scored)));
    }
    match (&provider.action, action) {
        (Some(format), Some(action)) if format.allows(action) => {}
        (Some(format), Some(_)) => reader.reject(ACTION, format.expected),
        (Some(format), None) if provider.scored => reader.reject(ACTION, format.expected),
        (None, Some(_)) => {
            let supported = names(|provider| provider.action.is_some());
            reader.reject(ACTION, format!("no value, except for {supported}"));
        }
        (_, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_with;

    #[test]
    fn every_error_of_a_captcha_is_reported() {
        let with = |pairs: &[(&str, &str)]| {
            let named = pairs.iter().map(|(key, value)| {
                (format!("SIGNUP__CHALLENGE__{}", key.replace('.', "__").to_uppercase()), *value)
            });
            let named: Vec<_> = named.collect();
            let pairs: Vec<_> = named.iter().map(|(name, value)| (&**name, *value)).collect();
            load_with(&pairs).map(|settings| settings.challenge)
        };
        let (id, secret) = (("captcha.site_key", "site"), ("captcha.secret", "canary-secret"));
        let hosts = ("captcha.hostnames", "www.example.com");
        let of = |name| ("captcha.provider", name);
        let challenge = with(&[of("turnstile"), id, secret, hosts]).unwrap();
        assert_eq!(challenge.captcha.unwrap().provider.name, "turnstile");
        assert!(with(&[]).unwrap().captcha.is_none());

        let (action, score) = (("captcha.action", "signup"), ("captcha.min_score_percent", "50"));
        let v3 = [of("recaptcha_v3"), id, secret, hosts, action, score];
        assert!(with(&v3).is_ok());
        for (pairs, keys) in [
            (vec![of("turnstile")], vec!["site_key", "secret", "hostnames"]),
            (vec![of("none"), id, secret, hosts], vec!["provider"]),
            (vec![id, secret], vec!["site_key", "secret"]),
            (v3[..4].to_vec(), vec!["min_score_percent", "action"]),
            (vec![of("hcaptcha"), id, secret, hosts, action, score], vec!["min_score", "action"]),
            (
                vec![
                    of("hcaptcha"),
                    id,
                    secret,
                    ("captcha.hostnames", "https://www.example.com"),
                    ("captcha.verify_url", "http://captcha.example"),
                ],
                vec!["hostnames", "verify_url"],
            ),
        ] {
            let errors = with(&pairs).unwrap_err();
            assert_eq!(errors.len(), keys.len(), "{errors:?}");
            for key in keys {
                let key = format!("challenge.captcha.{key}");
                assert!(errors.iter().any(|error| error.starts_with(&key)), "{key}: {errors:?}");
            }
            assert!(!errors.join("").contains("canary"), "{errors:?}");
        }
        // The service's own pages show the widget.
        let variables = [
            ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SITE_KEY", "site"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SECRET", "canary-secret"),
            ("SIGNUP__CHALLENGE__CAPTCHA__HOSTNAMES", "www.example.com"),
            ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
            ("SIGNUP__HTTP__PUBLIC_URL", "https://signup.example.com"),
        ];
        let errors = load_with(&variables).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains("signup.example.com too"), "{errors:?}");
        let off = ("SIGNUP__PAGE__ENABLED", "false");
        assert!(load_with(&[variables.as_slice(), &[off]].concat()).is_err());
        for (action, good) in [("sign_up-1", true), ("sign up", false), (&*"a".repeat(33), false)] {
            let loaded = with(&[of("turnstile"), id, secret, hosts, ("captcha.action", action)]);
            assert_eq!(loaded.is_ok(), good, "{action}");
        }
        let errors = with(&[("form_token_required", "true"), ("min_fill_ms", "0")]).unwrap_err();
        let key = "challenge.form_token_required";
        assert!(errors.len() == 1 && errors[0].starts_with(key), "{errors:?}");
        for name in ["email", "altcha", "Subject", "user_metadata.x", "x y"] {
            let errors = with(&[("honeypot", name)]).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("challenge.honeypot"), "{errors:?}");
        }
    }
}
