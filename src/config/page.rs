//! `[page]`: the built-in page, and where browsers are redirected.

use url::Url;

use super::colour::Colour;
use super::labels::{self, Labels};
use super::reader::Reader;
use super::urls;
use crate::domain::{Field, Rules};

/// The built-in page, and where browsers are redirected.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// The path of `http.public_url`, without its last slash; empty at the root. It precedes every
    /// path that a browser gets.
    pub base_path: String,
    /// Serves the page at `GET /signup`.
    pub enabled: bool,
    /// The product or company that people sign up for.
    pub name: Option<String>,
    /// An image above the form.
    pub logo: Option<Url>,
    /// The colours for light screens.
    pub light: Palette,
    /// The colours for dark screens.
    pub dark: Palette,
    /// The optional fields on the page.
    pub fields: Vec<Field>,
    /// The labels for keys of `user_metadata`.
    pub labels: Labels,
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
        name: reader.text("page.name"),
        logo: url(reader, "page.logo"),
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
            "a name of [fields], such as given_name",
            Field::from_name,
        ),
        labels: labels::read(reader, rules),
        login_url: url(reader, "page.login_url"),
        reset_url: url(reader, "page.reset_url"),
        privacy_url: url(reader, "page.privacy_url"),
        success_url: url(reader, "page.success_url"),
        return_to: reader.entries("page.return_to", urls::SECURE_URL, return_address),
    }
}

fn colour(reader: &mut Reader<'_>, key: &str) -> Colour {
    let colour = reader.required_parsed(key, "a colour, such as #1d4ed8", Colour::parse);
    colour.unwrap_or(Colour::BLACK)
}

/// Reads a URL to which people are linked or redirected.
pub(super) fn url(reader: &mut Reader<'_>, key: &str) -> Option<Url> {
    reader.parsed(key, urls::SECURE_URL, urls::parse_secure)
}

fn return_address(text: &str) -> Option<ReturnAddress> {
    Some(ReturnAddress { text: text.to_owned(), url: urls::parse_secure(text)? })
}
