//! The shape of a response, negotiated by `Accept` (RFC 9110, 12.5.1).

use http::HeaderMap;

use super::accept::Preference;

/// The shape of a response, problems included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Representation {
    /// JSON and problem documents, for programs.
    Json,
    /// Pages and redirects, for a browser that posts a form without a script.
    Page,
    /// The shapes of Auth0's public sign-up endpoint, for Lock and the SDKs.
    Auth0,
}

impl Representation {
    /// Chooses a page if a range names `text/html` or `text/*`, and it is preferred to JSON: by its
    /// quality or, where that is the same, by being named more exactly, as in the `text/html, */*`
    /// of some browsers. Else JSON.
    pub(super) fn from_accept(headers: &HeaderMap) -> Self {
        let preference = |kind, subkind| Preference::from_accept(headers, kind, subkind);
        let html = preference("text", "html");
        let is_page = html.names_type()
            && html.is_above(preference("application", "json"))
            && html.is_above(preference("application", "problem+json"));
        if is_page { Self::Page } else { Self::Json }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT;

    use super::*;

    fn of(values: &[&'static str]) -> Representation {
        let values = values.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        Representation::from_accept(&values.collect())
    }

    #[test]
    fn a_navigating_browser_gets_a_page() {
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
            "*/*, application/*;q=0.9",
            "text/plain;q=0, */*, application/*;q=0.9",
        ] {
            assert_eq!(of(&[accept]), Representation::Json, "{accept}");
        }
        assert_eq!(of(&[]), Representation::Json);
    }
}
