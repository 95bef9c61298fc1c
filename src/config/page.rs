//! `[page]`: the built-in page, and where browsers are redirected.

use url::Url;

use super::colour::Colour;
use super::labels::{self, Labels};
use super::links::{self, PageLink};
use super::reader::Reader;
use super::urls;
use crate::domain::metadata::USER_METADATA;
use crate::domain::{Field, Rules};

/// The built-in page, and where browsers are redirected.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// The path of `http.public_url`, without its trailing slash; empty at the root. It precedes every
    /// path that a browser gets.
    pub base_path: String,
    /// Serves the page at `GET /signup`.
    pub enabled: bool,
    /// Serves an example of another form at `GET /example`. Only the demo does.
    pub example: bool,
    /// The product or company that people sign up for.
    pub name: Option<String>,
    /// An image above the form.
    pub logo: Option<Url>,
    /// The image for dark screens. `None`: the same one.
    pub logo_dark: Option<Url>,
    /// The radius of corners in CSS pixels.
    pub radius: u32,
    /// The value of `font-family`.
    pub font: String,
    /// The colours for light screens.
    pub light: Palette,
    /// The colours for dark screens.
    pub dark: Palette,
    /// The fields on the page, in their order. Those that are required are on it anyway.
    pub fields: Vec<PageField>,
    /// The labels for keys of `user_metadata`.
    pub labels: Labels,
    /// The links that log in at another provider.
    pub providers: Vec<PageLink>,
    /// The links below the form.
    pub links: Vec<PageLink>,
    /// The login page.
    pub login_url: Option<Url>,
    /// The page for resetting a password.
    pub reset_url: Option<Url>,
    /// The privacy policy.
    pub privacy_url: Option<Url>,
    /// The URL to which a browser is redirected after a sign-up. `None`: a built-in page.
    pub success_url: Option<Url>,
    /// URLs that a form may request instead.
    pub return_to: Vec<ReturnAddress>,
    /// Further origins that the redirects after a sign-up pass through.
    pub redirect_origins: Vec<String>,
}

/// A field of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageField {
    /// A field of `[fields]`, the e-mail address or the password.
    Field(Field),
    /// A key of `user_metadata`.
    Metadata(String),
}

/// The colours of one colour scheme.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// The colour of buttons.
    pub accent: Colour,
    /// The colour behind the form.
    pub background: Colour,
}

/// A URL to which browsers may be redirected.
#[derive(Debug, Clone)]
pub struct ReturnAddress {
    /// The text in the settings. A form has to send exactly this text.
    pub text: String,
    /// The parsed URL.
    pub url: Url,
}

/// Reads the section. Labels are checked against `rules`.
pub(super) fn read(reader: &mut Reader<'_>, rules: Option<&Rules>) -> PageSettings {
    // Its errors are those of `http.public_url`.
    let public_url = reader.text("http.public_url").and_then(|text| urls::parse_public(&text));
    let base_path = public_url.map(|url| url.path().trim_end_matches('/').to_owned());
    PageSettings {
        base_path: base_path.unwrap_or_default(),
        enabled: reader.flag("page.enabled"),
        example: false,
        name: reader.text("page.name"),
        logo: urls::link(reader, "page.logo"),
        logo_dark: urls::link(reader, "page.logo_dark"),
        radius: reader.number("page.radius", 0..=24),
        font: reader.required_parsed("page.font", FONT, parse_font).unwrap_or_default(),
        light: Palette {
            accent: colour(reader, "page.accent"),
            background: colour(reader, "page.background"),
        },
        dark: Palette {
            accent: colour(reader, "page.accent_dark"),
            background: colour(reader, "page.background_dark"),
        },
        fields: reader.entries(
            "page.fields",
            "email, password, a name of [fields], or user_metadata. and a key of [user_metadata]",
            |name| page_field(name, rules),
        ),
        labels: labels::read(reader, rules),
        providers: links::read(reader, links::PROVIDERS),
        links: links::read(reader, links::LINKS),
        login_url: urls::link(reader, "page.login_url"),
        reset_url: urls::link(reader, "page.reset_url"),
        privacy_url: urls::link(reader, "page.privacy_url"),
        success_url: reader.parsed("page.success_url", urls::TARGET_URL, urls::parse_target),
        return_to: reader.entries("page.return_to", urls::TARGET_URL, return_address),
        redirect_origins: reader.entries(
            "page.redirect_origins",
            "an origin, such as https://app.example.com",
            |text| urls::is_origin(text).then(|| text.to_owned()),
        ),
    }
}

fn colour(reader: &mut Reader<'_>, key: &str) -> Colour {
    let colour = reader.required_parsed(key, "a colour, such as #1d4ed8", Colour::parse);
    colour.unwrap_or(Colour::BLACK)
}

/// The expected value of `page.font`.
const FONT: &str =
    "a CSS font-family: names with letters, digits, spaces and hyphens, with commas between";

/// Accepts the names of fonts. The value becomes a part of the style.
fn parse_font(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        let name = name.trim();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = quoted.unwrap_or(name);
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-');
        !name.is_empty() && name.chars().all(allowed)
    };
    text.split(',').all(is_name).then(|| text.to_owned())
}

/// Parses a field of the page. A key of `user_metadata` has to have a rule.
fn page_field(name: &str, rules: Option<&Rules>) -> Option<PageField> {
    if let Some(field) = Field::from_name(name) {
        return Some(PageField::Field(field));
    }
    let key = name.strip_prefix(USER_METADATA)?.strip_prefix('.')?;
    let is_known = rules.is_none_or(|rules| rules.metadata.contains_key(key));
    is_known.then(|| PageField::Metadata(key.to_owned()))
}

fn return_address(text: &str) -> Option<ReturnAddress> {
    // Addresses are compared as they are: a pattern would match nothing.
    if text.contains('*') {
        return None;
    }
    Some(ReturnAddress { text: text.to_owned(), url: urls::parse_target(text)? })
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_with;

    #[test]
    fn only_an_address_after_a_sign_up_takes_a_login_hint() {
        let url = "https://app.example.com/login?login_hint={login_hint}";
        let settings =
            load_with(&[("SIGNUP__PAGE__SUCCESS_URL", url), ("SIGNUP__PAGE__RETURN_TO", url)]);
        assert!(settings.is_ok(), "{settings:?}");
        let errors = load_with(&[
            ("SIGNUP__PAGE__LOGIN_URL", url),
            ("SIGNUP__PAGE__RESET_URL", url),
            ("SIGNUP__PAGE__PRIVACY_URL", url),
            ("SIGNUP__PAGE__LINKS__IMPRINT__LABEL", "Imprint"),
            ("SIGNUP__PAGE__LINKS__IMPRINT__URL", url),
        ])
        .unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors.iter().all(|error| error.contains("{login_hint}")), "{errors:?}");
    }
}
