//! `[traces]`: the collector that spans are exported to.

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reader::Reader;
use super::urls;

/// The collector that spans are exported to.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The URL of its traces. `None`: nothing is exported.
    pub endpoint: Option<Url>,
    /// The headers of each export: a collector's API key.
    pub headers: Vec<(String, SecretString)>,
    /// The share of traces without a caller's decision that are recorded, in percent.
    pub sample_percent: u32,
    /// The name of this service in traces.
    pub service_name: String,
}

/// The expected value of `traces.endpoint` in a build without an exporter.
const WITHOUT_EXPORTER: &str = "nothing: this program was built without the feature otlp";

pub(super) fn read(reader: &mut Reader<'_>) -> TraceSettings {
    let expected = "the collector's URL for traces, such as http://localhost:4318/v1/traces";
    let endpoint = reader.parsed("traces.endpoint", expected, urls::parse_web);
    if endpoint.is_some() && !cfg!(feature = "otlp") {
        reader.reject("traces.endpoint", WITHOUT_EXPORTER);
    }
    let headers = reader.optional_secret("traces.headers").map(|text| parse_headers(&text));
    if headers == Some(None) {
        reader.reject("traces.headers", "headers such as x-api-key=…, separated by commas");
    }
    TraceSettings {
        endpoint,
        headers: headers.flatten().unwrap_or_default().into_iter().map(secret).collect(),
        sample_percent: reader.number("traces.sample_percent", 0..=100),
        service_name: reader.required("traces.service_name", "a name"),
    }
}

fn secret((name, value): (String, String)) -> (String, SecretString) {
    (name, value.into())
}

/// Parses `name=value,name=value`, as `OTEL_EXPORTER_OTLP_HEADERS` is written.
fn parse_headers(text: &SecretString) -> Option<Vec<(String, String)>> {
    let pairs = text.expose_secret().split(',').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_valid = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
        is_valid.then(|| (name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs() {
        let parse = |text: &str| parse_headers(&text.to_owned().into());
        let expected = [("x-api-key", "a=b"), ("x", "c d")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse("x-api-key=a=b, x = c d"), Some(expected.to_vec()));
        for text in ["x", "=y", "x y=z", "x=1,", "ü=1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
