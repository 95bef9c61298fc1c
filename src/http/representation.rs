//! In which shape a request is answered, decided once from its head (RFC 9110, 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

use crate::texts::quality;

/// The shape of an answer, problems included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Representation {
    /// JSON and problem documents: what programs take.
    Json,
    /// Pages and redirections: what a browser shows when a form is posted without a script.
    Page,
    /// The shapes of Auth0's public sign-up endpoint: what Auth0Compat and the SDKs take.
    Auth0,
}

/// How much a type is wanted (thousandths), and how exactly it was named: not at all, by `*/*`, by
/// `type/*`, in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Negotiated {
    quality: u16,
    precision: u8,
}

impl Representation {
    /// A page where `text/html` is preferred to JSON: by its quality or, where that is the same, by
    /// being named more exactly, as in the `text/html, */*` of some browsers. JSON for all else.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        // Nearly all programs end here, without a range having been read.
        if !values().any(names_text) {
            return Self::Json;
        }
        let ranges = || values().flat_map(|value| value.split(','));
        let html = wanted(ranges(), "text", "html");
        let json = wanted(ranges(), "application", "json");
        let problem = wanted(ranges(), "application", "problem+json");
        if html.quality > 0 && html > json && html > problem { Self::Page } else { Self::Json }
    }
}

/// Whether a range of the type `text` may be in this value.
fn names_text(accept: &str) -> bool {
    accept.as_bytes().windows(5).any(|bytes| bytes.eq_ignore_ascii_case(b"text/"))
}

/// What the most exact of the ranges that match says of a type.
fn wanted<'r>(ranges: impl Iterator<Item = &'r str>, kind: &str, subkind: &str) -> Negotiated {
    let mut best = Negotiated::default();
    for range in ranges {
        let (essence, parameters) = range.split_once(';').unwrap_or((range, ""));
        let Some((range_kind, range_subkind)) = essence.trim().split_once('/') else { continue };
        let precision = match (range_kind, range_subkind) {
            ("*", "*") => 1,
            (a, "*") if a.eq_ignore_ascii_case(kind) => 2,
            (a, b) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subkind) => 3,
            _ => continue,
        };
        if precision > best.precision {
            best = Negotiated { quality: quality(parameters), precision };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Representation {
        let values = values.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        Representation::of(&values.collect())
    }

    #[test]
    fn a_browser_that_navigates_gets_a_page() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/xhtml+xml, */*",
            "TEXT/HTML",
            "text/*",
            "application/json;q=0.5, text/html;level=1;q=0.51",
            "text/html;q=0.001, application/json;q=0",
        ] {
            assert_eq!(of(&[accept]), Representation::Page, "{accept}");
        }
        assert_eq!(of(&["application/json;q=0.9", "text/html"]), Representation::Page);
    }

    #[test]
    fn everything_else_gets_json() {
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "application/problem+json, text/html",
            "application/json, text/html",
            "text/html;q=0",
            "text/html;q=0.5, application/json;q=0.6",
            "text/html;q=2, application/json",
            "text/html;q=high, */*;q=0.1",
            "text/htmlx, text/plain",
            "text",
            "text/",
            ";q=1,/,text/;;=",
        ] {
            assert_eq!(of(&[accept]), Representation::Json, "{accept}");
        }
        assert_eq!(of(&[]), Representation::Json);
    }
}
