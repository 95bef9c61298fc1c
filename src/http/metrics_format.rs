//! The format of `/metrics`, negotiated by `Accept` as Prometheus' own libraries do.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::texts::quality;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricsFormat {
    /// The Prometheus text format, version 0.0.4. Every scraper reads it.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics1,
    /// OpenMetrics 0.0.1, its draft. Prometheus' libraries write the same document for both.
    OpenMetrics0,
}

/// A scraper's preference for a format: by quality in thousandths, then by how exactly a range names
/// it: `*/*` (1), `text/*` (2), in full (3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FormatPreference {
    quality: u16,
    precision: u8,
}

impl MetricsFormat {
    /// Chooses the format with the highest quality. Of equals, the one that is named more exactly, then
    /// the first. Without an acceptable format, and without `Accept`, the text format.
    pub(super) fn from_accept(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = values
            .flat_map(|value| value.split(','))
            .filter_map(|range| Self::from_range(range.trim()))
            .collect();
        let mut best: Option<(Self, FormatPreference)> = None;
        for &(format, preference) in &ranges {
            // A format's quality is that of the range that names it most exactly (RFC 9110, 12.5.1).
            let is_outdone = ranges
                .iter()
                .any(|(other, by)| *other == format && by.precision > preference.precision);
            let is_better = best.is_none_or(|(_, known)| preference > known);
            if !is_outdone && is_better && preference.quality > 0 {
                best = Some((format, preference));
            }
        }
        best.map_or(Self::Text, |(format, _)| format)
    }

    /// The format that a media range names. `*/*` and `text/*` name the text format.
    fn from_range(range: &str) -> Option<(Self, FormatPreference)> {
        let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
        let (format, precision) = match media_type.trim().to_ascii_lowercase().as_str() {
            "*/*" => (Self::Text, 1),
            "text/*" => (Self::Text, 2),
            "text/plain" => match version(parameters) {
                None | Some("0.0.4") => (Self::Text, 3),
                Some(_) => return None,
            },
            "application/openmetrics-text" => match version(parameters) {
                None | Some("1.0.0") => (Self::OpenMetrics1, 3),
                Some("0.0.1") => (Self::OpenMetrics0, 3),
                Some(_) => return None,
            },
            _ => return None,
        };
        Some((format, FormatPreference { quality: quality(parameters), precision }))
    }

    /// The media type of a response in this format.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        }
    }
}

/// The parameter `version`, with or without quotation marks.
fn version(parameters: &str) -> Option<&str> {
    let mut pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let (_, version) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("version"))?;
    Some(version.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> MetricsFormat {
        let values = values.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        MetricsFormat::from_accept(&values.collect())
    }

    #[test]
    fn prometheus_gets_openmetrics() {
        for accept in [
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
            "application/openmetrics-text, text/plain",
            "text/plain;q=0, application/openmetrics-text;q=0.001",
            "text/plain;q=0.4, application/openmetrics-text;q=0.5, */*;q=0.9",
        ] {
            assert_eq!(of(&[accept]), MetricsFormat::OpenMetrics1, "{accept}");
        }
        assert_eq!(
            of(&["text/plain;q=0.5", "application/openmetrics-text;version=1.0.0"]),
            MetricsFormat::OpenMetrics1
        );
        assert_eq!(
            of(&["application/openmetrics-text; version=0.0.1, text/plain;q=0.5"]),
            MetricsFormat::OpenMetrics0
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
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            "application/*",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0.2, */*;q=0.9",
            "application/openmetrics-text;q=high, text/plain;q=0.1",
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            "text/plain;q=0, */*;q=0",
            ";,/;=,version",
        ] {
            assert_eq!(of(&[accept]), MetricsFormat::Text, "{accept}");
        }
        assert_eq!(of(&[]), MetricsFormat::Text);
    }
}
