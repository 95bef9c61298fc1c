//! `[page.providers]` and `[page.links]`: links that the operator adds to the page.

use url::Url;

use super::labels::{self, Label};
use super::reader::Reader;
use super::setting::Setting;
use super::urls;

/// The table of links that log in at another provider.
pub(super) const PROVIDERS: &str = "page.providers";

/// The table of links below the form.
pub(super) const LINKS: &str = "page.links";

/// A link that the operator adds to the page.
#[derive(Debug, Clone)]
pub struct PageLink {
    /// Its text.
    pub label: Label,
    /// Its address.
    pub url: Url,
}

/// Reads a table of links. They keep the order of the file.
pub(super) fn read(reader: &mut Reader<'_>, table: &str) -> Vec<PageLink> {
    let mut members = reader.table(table);
    members.sort_by_key(|(_, member)| member.position());
    members
        .iter()
        .filter_map(|(name, link)| read_link(reader, &format!("{table}.{name}"), link))
        .collect()
}

fn read_link(reader: &mut Reader<'_>, at: &str, link: &Setting) -> Option<PageLink> {
    const EXPECTED: &str = "a table with a label and a url";
    let Some(members) = link.table() else {
        reader.reject_at(at, link, link.instead_of(EXPECTED));
        return None;
    };
    for (name, value) in members {
        if !matches!(name.as_str(), "label" | "url") {
            reader.reject_at(&format!("{at}.{name}"), value, "label | url");
        }
    }
    let (Some(label), Some(url)) = (members.get("label"), members.get("url")) else {
        reader.reject_at(at, link, EXPECTED);
        return None;
    };
    let parsed = url.text().and_then(urls::parse_link);
    if parsed.is_none() {
        reader.reject_at(&format!("{at}.url"), url, urls::LINK_URL);
    }
    let label = labels::label(reader, &format!("{at}.label"), label);
    Some(PageLink { label: label?, url: parsed? })
}
