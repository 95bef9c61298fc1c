//! The span of a call to the tenant, if the call belongs to a trace.

use http::Method;
use reqwest::{Request, Response};

use crate::telemetry::{OutgoingCall, SpanValue};

/// A call to the tenant that belongs to a trace.
#[derive(Debug)]
pub(super) struct TracedCall {
    call: OutgoingCall,
    method: Method,
    template: &'static str,
    host: Option<String>,
    port: Option<u16>,
}

impl TracedCall {
    /// Starts the call, and adds the trace's headers to its request. `None` outside of a trace.
    pub(super) fn start(request: &mut Request) -> Option<Self> {
        let call = OutgoingCall::start(request.headers_mut())?;
        let url = request.url();
        Some(Self {
            call,
            method: request.method().clone(),
            template: template(url.path()),
            host: url.host_str().map(str::to_owned),
            port: url.port_or_known_default(),
        })
    }

    /// Ends the call with the head of its response, or without one.
    pub(super) fn end(self, result: &Result<Response, reqwest::Error>) {
        let Self { call, method, template, host, port } = self;
        let outcome = match result {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(kind(error)),
        };
        let is_error = !outcome.is_ok_and(|status| status < 400);
        let attributes = || {
            let mut attributes = vec![
                ("http.request.method", method.as_str().into()),
                ("url.template", template.into()),
            ];
            attributes.extend(host.map(|host| ("server.address", SpanValue::Text(host))));
            attributes.extend(port.map(|port| ("server.port", port.into())));
            attributes.push(match outcome {
                Ok(status) => ("http.response.status_code", status.into()),
                Err(kind) => ("error.type", kind.into()),
            });
            attributes
        };
        call.end(|| format!("{method} {template}"), attributes, is_error);
    }
}

/// The path without an id.
fn template(path: &str) -> &'static str {
    match path {
        "/api/v2/users" => "/api/v2/users",
        "/api/v2/users-by-email" => "/api/v2/users-by-email",
        "/oauth/token" => "/oauth/token",
        "/dbconnections/change_password" => "/dbconnections/change_password",
        _ if path.starts_with("/api/v2/users/") => "/api/v2/users/{id}",
        _ => "other",
    }
}

fn kind(error: &reqwest::Error) -> &'static str {
    match error {
        error if error.is_connect() => "connect",
        error if error.is_timeout() => "timeout",
        _ => "no_response",
    }
}
