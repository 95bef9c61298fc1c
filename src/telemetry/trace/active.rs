//! The trace of the request that a task works for.

use std::time::Duration;

use futures_util::future::Either;
use http::HeaderMap;
use tokio::time::Instant;

use super::context::TraceContext;
use super::span::{SpanKind, SpanRecord, SpanValue};
use super::traces::Traces;

tokio::task_local! {
    static ACTIVE: ActiveTrace;
}

/// The trace of a request. A task that works for the request runs [inside](Self::scope) it.
#[derive(Debug, Clone)]
pub struct ActiveTrace {
    context: TraceContext,
    /// The caller's span, if it sent one.
    caller: Option<u64>,
    traces: Traces,
    /// The wall clock at the start of the request, since the Unix epoch.
    epoch: Duration,
    started: Instant,
}

/// A call to another service that belongs to a trace.
#[derive(Debug)]
pub struct OutgoingCall {
    context: TraceContext,
    trace: ActiveTrace,
    started: Instant,
}

impl ActiveTrace {
    /// The trace of a request: that of its caller or, with an exporter, a new one. `now` is the wall
    /// clock.
    pub fn of_request(traces: &Traces, headers: &HeaderMap, now: Duration) -> Option<Self> {
        let caller = TraceContext::from_headers(headers);
        let context = match &caller {
            Some(caller) if traces.is_exporting() => caller.child(),
            Some(caller) => caller.clone(),
            None if traces.is_exporting() => TraceContext::root(traces.is_new_one_sampled()),
            None => return None,
        };
        let caller = caller.map(|caller| caller.span_id());
        Some(Self { context, caller, traces: traces.clone(), epoch: now, started: Instant::now() })
    }

    /// Runs `work` inside this trace.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        ACTIVE.scope(self, work)
    }

    /// The wall clock at a time after the start.
    fn at(&self, time: Instant) -> Duration {
        self.epoch + time.duration_since(self.started)
    }

    fn end_request(
        &self,
        name: impl FnOnce() -> String,
        attributes: impl FnOnce() -> Vec<(&'static str, SpanValue)>,
        is_error: bool,
    ) {
        self.traces.record(&self.context, || SpanRecord {
            name: name(),
            kind: SpanKind::Server,
            context: self.context.clone(),
            parent: self.caller.map(|caller| (caller, true)),
            started: self.epoch,
            took: self.started.elapsed(),
            attributes: attributes(),
            is_error,
        });
    }

    /// Records the request of the task's trace, if it has one that is exported. The closures run only
    /// then.
    pub fn record_request(
        name: impl FnOnce() -> String,
        attributes: impl FnOnce() -> Vec<(&'static str, SpanValue)>,
        is_error: bool,
    ) {
        // Without a trace there is nothing to record.
        ACTIVE.try_with(|trace| trace.end_request(name, attributes, is_error)).unwrap_or(());
    }
}

impl OutgoingCall {
    /// Starts a call of the task's trace, and writes its headers. `None` outside of a trace.
    pub fn start(headers: &mut HeaderMap) -> Option<Self> {
        let trace = ACTIVE.try_with(ActiveTrace::clone).ok()?;
        let context =
            if trace.traces.is_exporting() { trace.context.child() } else { trace.context.clone() };
        context.write(headers);
        Some(Self { context, trace, started: Instant::now() })
    }

    /// Records the call, if its trace is exported. `attributes` runs only then.
    pub fn end(
        self,
        name: impl FnOnce() -> String,
        attributes: impl FnOnce() -> Vec<(&'static str, SpanValue)>,
        is_error: bool,
    ) {
        let Self { context, trace, started } = self;
        trace.traces.record(&context, || SpanRecord {
            name: name(),
            kind: SpanKind::Client,
            context: context.clone(),
            parent: Some((trace.context.span_id(), false)),
            started: trace.at(started),
            took: started.elapsed(),
            attributes: attributes(),
            is_error,
        });
    }
}

/// The ids of the trace and of the span that the task works for.
pub(in super::super) fn active_ids() -> Option<(u128, u64)> {
    ACTIVE.try_with(|trace| (trace.context.trace_id(), trace.context.span_id())).ok()
}

/// Keeps work that another task will do inside the trace of this one.
pub fn in_active_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    match ACTIVE.try_with(ActiveTrace::clone) {
        Ok(trace) => Either::Left(trace.scope(work)),
        Err(_) => Either::Right(work),
    }
}
