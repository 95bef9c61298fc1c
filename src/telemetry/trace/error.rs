//! The error of an exporter that cannot be built.

/// The exporter cannot be built. Never with a build without the feature `otlp`.
#[derive(Debug, thiserror::Error)]
#[error("the exporter of traces cannot be built: {0}")]
pub struct TracesError(pub(super) String);
