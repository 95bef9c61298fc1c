//! Spans as OTLP: protobuf over HTTP, in batches, by the OpenTelemetry SDK's own queue.
//!
//! The queue is bounded and never waits: when the collector is slow or away, spans are dropped.

use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind as OtelKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::error::TracesError;
use super::span::{SpanKind, SpanRecord, SpanValue};
use crate::config::TraceSettings;
use crate::telemetry::chain;
use crate::tls;

/// The longest time of one export.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The exporter of one process.
#[derive(Debug)]
pub(super) struct Exporter {
    queue: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    /// Starts the queue and its thread. `None` if the settings name no collector.
    pub(super) fn start(settings: &TraceSettings) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.endpoint else { return Ok(None) };
        let failed = |error: &dyn std::fmt::Display| TracesError(error.to_string());
        // The headers of the settings, which may hold a key, must not follow a redirect.
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(TIMEOUT);
        let tls = tls::verifier(&[]).and_then(tls::client_config);
        let client = client.tls_backend_preconfigured(tls.map_err(|e| failed(&e))?);
        let client = client.build().map_err(|e| failed(&e))?;
        let headers = settings.headers.iter();
        let headers: HashMap<_, _> =
            headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient {
                client,
                runtime: Handle::try_current().map_err(|e| failed(&e))?,
                is_failing: AtomicBool::new(false),
            })
            .with_endpoint(endpoint.as_str())
            .with_timeout(TIMEOUT)
            .with_headers(headers)
            .build()
            .map_err(|error| failed(&error))?;
        let version = env!("CARGO_PKG_VERSION");
        let mut queue = BatchSpanProcessor::builder(exporter).build();
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        queue.set_resource(&resource);
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(version);
        Ok(Some(Self { queue, scope: scope.build() }))
    }

    /// Puts a span into the queue, or drops it when the queue is full.
    pub(super) fn record(&self, span: SpanRecord) {
        let SpanRecord { name, kind, context, parent, started, took, attributes, is_error } = span;
        let state = context.state().and_then(|state| state.parse().ok());
        let (parent_span_id, parent_span_is_remote) = parent.unwrap_or_default();
        let start_time = UNIX_EPOCH + started;
        self.queue.on_end(SpanData {
            span_context: SpanContext::new(
                TraceId::from(context.trace_id()),
                SpanId::from(context.span_id()),
                TraceFlags::new(context.flags()),
                false,
                state.unwrap_or(TraceState::NONE),
            ),
            parent_span_id: SpanId::from(parent_span_id),
            parent_span_is_remote,
            span_kind: match kind {
                SpanKind::Server => OtelKind::Server,
                SpanKind::Client => OtelKind::Client,
            },
            name: name.into(),
            start_time,
            end_time: start_time + took,
            attributes: attributes
                .into_iter()
                .map(|(key, value)| KeyValue::new(key, value))
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if is_error { Status::error("") } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// Sends what the queue holds, and ends its thread.
    pub(super) async fn close(self: Arc<Self>) {
        // Waits for the queue's thread, which needs this runtime to send.
        drop(spawn_blocking(move || self.queue.shutdown_with_timeout(TIMEOUT)).await);
    }
}

impl From<SpanValue> for Value {
    fn from(value: SpanValue) -> Self {
        match value {
            SpanValue::Text(text) => text.into(),
            SpanValue::Integer(number) => number.into(),
        }
    }
}

/// Sends to the collector on the service's runtime: the queue's thread has none. Its HTTP client is not that
/// of the tenant, so `auth0.ca_file` does not apply.
#[derive(Debug)]
struct CollectorClient {
    client: reqwest::Client,
    runtime: Handle,
    /// Logs the first of several failures in a row.
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), request.try_into()?);
        // The client starts a timer at once, and this thread has none.
        let received = self.runtime.spawn(async move {
            let mut response = client.execute(request).await?;
            let (status, headers) = (response.status(), take(response.headers_mut()));
            Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
        });
        // The URL may hold a key.
        let result = received.await?.map_err(reqwest::Error::without_url);
        // As the SDK judges: it drops the spans of a redirect too, and says so in no log.
        let status = result.as_ref().ok().map(|(status, ..)| *status);
        let fails = !status.is_some_and(|status| status.is_success());
        if !self.is_failing.swap(fails, Ordering::Relaxed) && fails {
            let error = result.as_ref().err().map(|error| chain(error));
            let status = status.map(|status| status.as_u16());
            tracing::warn!(status, error, "the collector of traces.endpoint does not accept spans");
        }
        let (status, headers, body) = result?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        // The SDK waits for the time in `Retry-After`.
        *response.headers_mut() = headers;
        Ok(response)
    }
}
