//! The captcha on the form: its element, its script, and the sources that these load from.

use url::form_urlencoded::Serializer;

use crate::captcha_provider::{CspSources, WidgetInfo};
use crate::config::CaptchaSettings;

/// The widget of a captcha service.
#[derive(Debug)]
pub(super) struct Widget {
    info: &'static WidgetInfo,
    /// The public key.
    pub(super) site_key: String,
    /// The action that the token is issued for.
    pub(super) action: Option<String>,
}

impl Widget {
    /// The widget of a captcha.
    pub(super) fn new(captcha: &CaptchaSettings) -> Self {
        let CaptchaSettings { provider, site_key, action, .. } = captcha.clone();
        Self { info: &provider.widget, site_key, action }
    }

    /// The class by which the service's script finds its element; `None` if nothing is shown.
    pub(super) const fn class(&self) -> Option<&'static str> {
        self.info.class
    }

    /// The address of the service's script, for a page in this language.
    pub(super) fn script(&self, lang: &str) -> String {
        let WidgetInfo { language_parameter, site_key_parameter, .. } = self.info;
        let parameters = [(language_parameter, lang), (site_key_parameter, &self.site_key)];
        let mut query = Serializer::new(String::new());
        for (name, value) in parameters {
            if let Some(name) = name {
                query.append_pair(name, value);
            }
        }
        match query.finish().as_str() {
            "" => self.info.script.to_owned(),
            query => format!("{}?{query}", self.info.script),
        }
    }

    /// The sources that its page must allow.
    pub(super) const fn sources(&self) -> CspSources {
        self.info.sources
    }
}
