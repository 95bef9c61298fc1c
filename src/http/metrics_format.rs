//! The format of `/metrics`, negotiated by `Accept`.

use http::HeaderMap;

use super::accept::Preference;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricsFormat {
    /// The Prometheus text format, version 0.0.4. Every scraper reads it.
    Text,
    /// OpenMetrics 1.0.0. Prometheus reads it in the same way whether it asks for this version or the draft 0.0.1.
    OpenMetrics,
}

impl MetricsFormat {
    /// Chooses OpenMetrics if it is preferred to the text format.
    pub(super) fn from_accept(headers: &HeaderMap) -> Self {
        let preference = |kind, subkind| Preference::from_accept(headers, kind, subkind);
        let text = preference("text", "plain");
        let is_openmetrics = preference("application", "openmetrics-text").is_above(text);
        if is_openmetrics { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type of a response in this format.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT;

    use super::*;

    fn of(values: &[&'static str]) -> MetricsFormat {
        let values = values.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        MetricsFormat::from_accept(&values.collect())
    }

    #[test]
    fn prometheus_gets_openmetrics() {
        for accept in [
            // 2.x, at first
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            // 2.x
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            // 3.x
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
             escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            // 3.x, with native histograms
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\" ; Q=0.1",
            "application/openmetrics-text, */*",
            "*/*, application/openmetrics-text",
            "application/*",
            "text/plain;q=0, application/openmetrics-text;q=0.001",
            "text/plain;q=0.4, application/openmetrics-text;q=0.5, */*;q=0.9",
        ] {
            assert_eq!(of(&[accept]), MetricsFormat::OpenMetrics, "{accept}");
        }
        assert_eq!(
            of(&["text/plain;q=0.5", "application/openmetrics-text;version=1.0.0"]),
            MetricsFormat::OpenMetrics
        );
    }

    #[test]
    fn everything_else_gets_the_text_format() {
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/plain",
            "text/plain; version=0.0.4",
            "text/plain, application/openmetrics-text",
            "application/openmetrics-text, text/plain",
            // 3.x without OpenMetrics
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2, */*;q=0.9",
            "application/openmetrics-text;q=high, text/plain;q=0.1",
            "text/plain;q=0, */*;q=0",
            ";,/;=,version",
        ] {
            assert_eq!(of(&[accept]), MetricsFormat::Text, "{accept}");
        }
        assert_eq!(of(&[]), MetricsFormat::Text);
    }
}
