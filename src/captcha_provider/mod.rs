//! The captcha services: one descriptor for each, in a file of its own.
//!
//! Everything that differs between the services is here: the name in the settings, the form field
//! of the token, the verification, the widget and the hosts that it loads from. `form`, `config`,
//! `abuse` and `page` read it; this module depends on none of them.

mod hcaptcha;
mod recaptcha;
mod turnstile;

/// A captcha service.
#[derive(Debug, PartialEq, Eq)]
pub struct CaptchaProvider {
    /// The name in the settings, in responses and in metrics.
    pub name: &'static str,
    /// The form field that the widget puts its token into.
    pub response_field: &'static str,
    /// The service's own address for the verification of tokens.
    pub verify_url: &'static str,
    /// A verification must name the site key, since the response does not.
    pub sends_site_key: bool,
    /// The most bytes of a token.
    pub max_token: usize,
    /// The format of an action; `None` if the service has no actions.
    pub action: Option<ActionFormat>,
    /// The service returns a score. A minimum score and an action must then be set: without them,
    /// any token of the site key is valid, even one with score 0.
    pub scored: bool,
    /// The widget on a page.
    pub widget: WidgetInfo,
}

/// The format of the actions that a service accepts.
#[derive(Debug, PartialEq, Eq)]
pub struct ActionFormat {
    /// The most characters.
    pub max_length: usize,
    /// The characters that are allowed besides letters and digits.
    pub symbols: &'static [u8],
    /// The rule as text, for the operator.
    pub expected: &'static str,
}

/// The widget of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct WidgetInfo {
    /// The class by which the service's script finds its element. `None`: the service has no
    /// visible element, and `/signup.js` asks it for a token.
    pub class: Option<&'static str>,
    /// The address of the script.
    pub script: &'static str,
    /// The parameter of `script` that names the language; `None` if the element names it.
    pub language_parameter: Option<&'static str>,
    /// The parameter of `script` that names the site key, if there is one.
    pub site_key_parameter: Option<&'static str>,
    /// The sources that the page's policy must allow.
    pub sources: CspSources,
}

/// The sources of a widget in a `Content-Security-Policy`, as its service documents them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CspSources {
    /// `script-src`
    pub script: &'static str,
    /// `frame-src`
    pub frame: &'static str,
    /// `style-src`
    pub style: &'static str,
    /// `connect-src`
    pub connect: &'static str,
}

impl CaptchaProvider {
    /// Every service.
    pub const ALL: [&'static Self; 4] =
        [&turnstile::TURNSTILE, &hcaptcha::HCAPTCHA, &recaptcha::V2, &recaptcha::V3];
}

impl ActionFormat {
    /// Returns whether an action has this format.
    pub fn allows(&self, action: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || self.symbols.contains(&byte);
        action.len() <= self.max_length && action.bytes().all(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_scripts_are_allowed_by_their_own_policy() {
        for (at, provider) in CaptchaProvider::ALL.iter().enumerate() {
            let named = |other: &&&CaptchaProvider| other.name == provider.name;
            assert_eq!(CaptchaProvider::ALL.iter().find(named), Some(&CaptchaProvider::ALL[at]));
            let WidgetInfo { script, sources, .. } = &provider.widget;
            let origin = |url: &str| {
                let url = url::Url::parse(&url.replace("*.", "js.")).unwrap();
                url.origin().ascii_serialization()
            };
            let allowed = sources.script.split(' ').any(|source| origin(source) == origin(script));
            assert!(allowed, "{}", provider.name);
        }
    }

    #[test]
    fn an_action_has_the_form_that_its_service_documents() {
        let turnstile = turnstile::TURNSTILE.action.as_ref().unwrap();
        assert!(turnstile.allows("sign-up_1") && turnstile.allows(&"a".repeat(32)));
        assert!(!turnstile.allows(&"a".repeat(33)) && !turnstile.allows("a/b"));
        let scored = recaptcha::V3.action.as_ref().unwrap();
        assert!(scored.allows("sign/up_1") && !scored.allows("sign-up"));
    }
}
