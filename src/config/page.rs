//! `[page]`: what people see, and where they go from there.

use url::Url;

use super::auth0::is_loopback;
use super::colour::Colour;
use super::labels::{self, Labels};
use super::reader::Reader;
use crate::domain::{Field, Rules};

/// The built-in page and where browsers are sent.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// Whether `GET /signup` shows the page.
    pub enabled: bool,
    /// What people sign up for.
    pub name: Option<String>,
    /// A picture above the form.
    pub logo: Option<Url>,
    /// The colours on a light and on a dark screen.
    pub light: Palette,
    /// See [`Self::light`].
    pub dark: Palette,
    /// The optional fields that the page asks for.
    pub fields: Vec<Field>,
    /// What the keys of `user_metadata` are called.
    pub labels: Labels,
    /// Where people log in.
    pub login_url: Option<Url>,
    /// Where people get a new password.
    pub reset_url: Option<Url>,
    /// What is done with what people give.
    pub privacy_url: Option<Url>,
    /// Where a browser is sent after a sign-up; the built-in page if nowhere.
    pub success_url: Option<Url>,
    /// Addresses that a form may ask to be sent to instead, as they are written.
    pub return_to: Vec<ReturnAddress>,
}

/// The colours of one scheme.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Buttons.
    pub accent: Colour,
    /// What lies behind the form.
    pub background: Colour,
}

/// An address that browsers may be sent to.
#[derive(Debug, Clone)]
pub struct ReturnAddress {
    /// As the operator wrote it: a form has to write it the same.
    pub text: String,
    /// The same, parsed.
    pub url: Url,
}

/// `rules`: those of forms, whose keys are named.
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
        reader.fault(key, "a colour, such as #1d4ed8");
        Colour::BLACK
    })
}

fn fields(reader: &mut Reader<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    for name in reader.list("page.fields") {
        match Field::from_name(&name) {
            Some(field) => fields.push(field),
            None => reader.fault("page.fields", "names of [fields], such as given_name"),
        }
    }
    fields
}

/// An address that people are led to.
pub(super) fn url(reader: &mut Reader<'_>, key: &str) -> Option<Url> {
    let text = reader.text(key)?;
    let url = web_address(&text);
    if url.is_none() {
        reader.fault(key, "a whole https address (http on loopback) without credentials");
    }
    url
}

fn return_to(reader: &mut Reader<'_>) -> Vec<ReturnAddress> {
    let mut addresses = Vec::new();
    for text in reader.list("page.return_to") {
        match web_address(&text) {
            Some(url) => addresses.push(ReturnAddress { text, url }),
            None => reader.fault(
                "page.return_to",
                "whole https addresses (http on loopback) without credentials or wildcards",
            ),
        }
    }
    addresses
}

/// A whole https address, or http on loopback, that names no user and has no wildcard in its host.
fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let encrypted = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => return None,
    };
    // A parser takes `https:host` and `https:///host` for the same; people who compare do not.
    let whole = text.starts_with("https://") || text.starts_with("http://");
    let authority = text.split("//").nth(1)?.split(['/', '?', '#']).next()?;
    (encrypted && whole && !authority.contains(['@', '*', '\\'])).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole_encrypted_and_exact() {
        for text in [
            "https://www.example.com/welcome?a=b#c",
            "https://www.example.com",
            "http://localhost:3000/done",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ] {
            assert!(web_address(text).is_some(), "{text}");
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
            assert!(web_address(text).is_none(), "{text}");
        }
    }
}
