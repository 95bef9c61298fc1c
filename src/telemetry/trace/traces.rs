//! The traces of one process: which new ones are recorded, and where spans go.

use super::context::TraceContext;
use super::error::TracesError;
#[cfg(feature = "otlp")]
use super::otlp::Exporter;
use super::span::SpanRecord;
use crate::config::TraceSettings;

/// The traces of one process. Clones share the exporter.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    #[cfg(feature = "otlp")]
    exporter: Option<std::sync::Arc<Exporter>>,
    /// The share of new traces that are recorded, in percent.
    sample_percent: u32,
}

impl Traces {
    /// Starts the exporter, if the settings name a collector. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    #[cfg(feature = "otlp")]
    pub fn start(settings: &TraceSettings) -> Result<Self, TracesError> {
        let exporter = Exporter::start(settings)?.map(std::sync::Arc::new);
        Ok(Self { exporter, sample_percent: settings.sample_percent })
    }

    /// Passes contexts on, and exports nothing: this build has no exporter.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(feature = "otlp"))]
    pub const fn start(settings: &TraceSettings) -> Result<Self, TracesError> {
        Ok(Self { sample_percent: settings.sample_percent })
    }

    /// Returns whether a new trace is recorded, by chance.
    pub(super) fn is_new_one_sampled(&self) -> bool {
        rand::random_range(0..100) < self.sample_percent
    }

    /// Returns whether spans are exported.
    #[cfg_attr(not(feature = "otlp"), expect(clippy::unused_self, reason = "has no exporter"))]
    pub(super) const fn is_exporting(&self) -> bool {
        #[cfg(feature = "otlp")]
        return self.exporter.is_some();
        #[cfg(not(feature = "otlp"))]
        false
    }

    /// Exports a span, if its trace is recorded. `make` runs only then.
    #[cfg_attr(not(feature = "otlp"), expect(clippy::unused_self, reason = "has no exporter"))]
    pub(super) fn record(&self, context: &TraceContext, make: impl FnOnce() -> SpanRecord) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter.as_ref().filter(|_| context.is_sampled()) {
            exporter.record(make());
        }
        #[cfg(not(feature = "otlp"))]
        drop((context, make));
    }

    /// Sends the spans that wait, within a few seconds.
    #[cfg_attr(not(feature = "otlp"), expect(clippy::unused_async, reason = "nothing waits"))]
    pub async fn close(&self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            std::sync::Arc::clone(exporter).close().await;
        }
    }
}
