//! `[page]`: the built-in page, and where browsers are redirected.

use url::Url;

use super::auth0::is_loopback;
use super::colour::Colour;
use super::labels::{self, Labels};
use super::reader::Reader;
use crate::domain::{Field, Rules};

/// The built-in page, and where browsers are redirected.
#[derive(Debug, Clone)]
pub struct PageSettings {
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
    PageSettings {
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
        fields: fields(reader),
        labels: labels::read(reader, rules),
        login_url: url(reader, "page.login_url"),
        reset_url: url(reader, "page.reset_url"),
        privacy_url: url(reader, "page.privacy_url"),
        success_url: url(reader, "page.success_url"),
        return_to: return_to(reader),
    }
}

fn colour(reader: &mut Reader<'_>, key: &str) -> Colour {
    let colour = reader.text(key).as_deref().and_then(Colour::parse);
    colour.unwrap_or_else(|| {
        reader.reject(key, "a colour, such as #1d4ed8");
        Colour::BLACK
    })
}

fn fields(reader: &mut Reader<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    for name in reader.list("page.fields") {
        match Field::from_name(&name) {
            Some(field) => fields.push(field),
            None => reader.reject("page.fields", "names of [fields], such as given_name"),
        }
    }
    fields
}

/// Reads a URL to which people are linked or redirected.
pub(super) fn url(reader: &mut Reader<'_>, key: &str) -> Option<Url> {
    let text = reader.text(key)?;
    let url = parse_web_url(&text);
    if url.is_none() {
        reader.reject(key, "a full https URL (http on loopback) without credentials");
    }
    url
}

fn return_to(reader: &mut Reader<'_>) -> Vec<ReturnAddress> {
    let mut addresses = Vec::new();
    for text in reader.list("page.return_to") {
        match parse_web_url(&text) {
            Some(url) => addresses.push(ReturnAddress { text, url }),
            None => reader.reject(
                "page.return_to",
                "full https URLs (http on loopback) without credentials or wildcards",
            ),
        }
    }
    addresses
}

/// Parses a full https URL, or http on loopback, without credentials and without a wildcard in its
/// host.
fn parse_web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let encrypted = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => return None,
    };
    // `Url::parse` accepts `https:host` and `https:///host` for the same URL. A text comparison
    // does not.
    let is_full = text.starts_with("https://") || text.starts_with("http://");
    let authority = text.split("//").nth(1)?.split(['/', '?', '#']).next()?;
    (encrypted && is_full && !authority.contains(['@', '*', '\\'])).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_full_encrypted_and_without_credentials() {
        for text in [
            "https://www.example.com/welcome?a=b#c",
            "https://www.example.com",
            "http://localhost:3000/done",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ] {
            assert!(parse_web_url(text).is_some(), "{text}");
        }
        for text in [
            "http://www.example.com/",
            "//www.example.com/",
            "/welcome",
            "https:www.example.com",
            "https://user@www.example.com/",
            "https://user:pass@www.example.com/",
            "https://*.example.com/",
            "https://@www.example.com/",
            "https://www.example.com\\@evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "app://done",
            "http://localhost.evil.example/",
            "",
        ] {
            assert!(parse_web_url(text).is_none(), "{text}");
        }
    }
}
