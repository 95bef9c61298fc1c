//! Spans as a collector receives them: OTLP, as protobuf over HTTP.

use std::sync::Arc;

use auth0_emulator::Emulator;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use tokio::net::{TcpListener, TcpSocket};

use crate::app::{TestApp, TestResponse, ada};
use crate::eventually::eventually;
use crate::process::Process;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector's stand-in, which keeps what it receives, and responds with this status.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>, StatusCode);

/// The parts of a span that the tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    trace_id: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    attributes: Vec<String>,
}

impl Collector {
    /// Starts it. Returns the URL of its traces.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = collector.clone();
                let receive = service_fn(move |request| collector.clone().receive(request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), receive);
                tokio::spawn(connection);
            }
        });
        format!("http://{address}/v1/traces")
    }

    async fn receive(self, request: Request<Incoming>) -> hyper::Result<Response<Empty<Bytes>>> {
        assert_eq!(request.uri().path(), "/v1/traces");
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        self.0.lock().push((head.headers, body));
        let response = Response::builder().status(self.1).header("location", "/elsewhere");
        // Longer than an export may take.
        Ok(response.header("retry-after", "9").body(Empty::new()).unwrap())
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.0.lock();
        received.iter().flat_map(|(_, body)| spans(body)).collect()
    }
}

/// The fields of a protobuf message: their numbers, and their bytes or numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let (bytes, number) = match tag & 7 {
            0 => (Vec::new(), varint(&mut message)),
            1 => (take(&mut message, 8), 0),
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                (take(&mut message, length), 0)
            }
            5 => (take(&mut message, 4), 0),
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, bytes, number));
    }
    fields
}

fn take(message: &mut &[u8], length: usize) -> Vec<u8> {
    let (bytes, rest) = message.split_at(length);
    *message = rest;
    bytes.to_vec()
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(message, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The messages or texts in the field with this number.
fn all(message: &[u8], number: u64) -> Vec<Vec<u8>> {
    fields(message).into_iter().filter(|field| field.0 == number).map(|field| field.1).collect()
}

/// The spans of an `ExportTraceServiceRequest` (opentelemetry-proto, `trace.proto`).
fn spans(body: &[u8]) -> Vec<Span> {
    let scopes = all(body, 1).into_iter().flat_map(|resource| all(&resource, 2));
    let spans = scopes.flat_map(|scope| all(&scope, 2));
    let text = |span: &[u8], number| String::from_utf8(all(span, number).concat()).unwrap();
    let hex = |span: &[u8], number| {
        all(span, number)
            .concat()
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    spans
        .map(|span| Span {
            trace_id: hex(&span, 1),
            id: hex(&span, 2),
            parent: hex(&span, 4),
            name: text(&span, 5),
            kind: fields(&span).iter().find(|field| field.0 == 6).unwrap().2,
            attributes: all(&span, 9).iter().map(|attribute| text(attribute, 1)).collect(),
        })
        .collect()
}

async fn app(collector: &Collector, percent: &str) -> TestApp {
    let builder = TestApp::builder().set("traces.endpoint", &collector.start().await);
    let builder = builder.set("traces.headers", "x-api-key=canary-key");
    builder.set("traces.sample_percent", percent).spawn().await
}

fn sign_up(app: &TestApp, parent: Option<&str>) -> reqwest::RequestBuilder {
    let request = app.post().header(CONTENT_TYPE, "application/json").body(ada().to_string());
    match parent {
        Some(parent) => request.header("traceparent", parent),
        None => request,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_is_a_span_with_its_calls_below_it() {
    let collector = Collector::default();
    let mut app = app(&collector, "0").await;
    app.until_ready().await;
    TestResponse::receive(sign_up(&app, Some(PARENT))).await;
    let create = app.creates()[0].headers["traceparent"].to_str().unwrap().to_owned();
    app.get("/livez").await;
    // The spans that wait are sent before the service ends.
    app.stop().await.unwrap();

    let sent = collector.spans();
    let [call, request] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((request.name.as_str(), request.kind), ("POST /signup", 2));
    assert_eq!((call.name.as_str(), call.kind), ("POST /api/v2/users", 3));
    assert_eq!((request.trace_id.as_str(), call.trace_id.as_str()), (TRACE, TRACE));
    assert_eq!(request.parent, "00f067aa0ba902b7");
    assert_eq!(call.parent, request.id);
    assert_eq!(create, format!("00-{TRACE}-{}-01", call.id));
    for name in ["http.request.method", "http.response.status_code"] {
        assert!(request.attributes.contains(&name.to_owned()), "{request:?}");
        assert!(call.attributes.contains(&name.to_owned()), "{call:?}");
    }
    let (headers, body) = collector.0.lock()[0].clone();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-api-key"], "canary-key");
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("service.name") && body.contains("auth0-signup"));
    for personal in ["ada@example.com", "Lovelace", "Difference-Engine"] {
        assert!(!body.contains(personal), "{personal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_traces_are_sampled_and_a_caller_that_does_not_record_is_obeyed() {
    let collector = Collector::default();
    let mut all = app(&collector, "100").await;
    TestResponse::receive(sign_up(&all, None)).await;
    let root = async || collector.spans().into_iter().find(|span| span.name == "POST /signup");
    all.stop().await.unwrap();
    let root = eventually("the span of the sign-up", root).await;
    assert_eq!(root.parent, "");

    let collector = Collector::default();
    let mut none = app(&collector, "0").await;
    TestResponse::receive(sign_up(&none, None)).await;
    let silent = PARENT.replace("b7-01", "b7-00");
    TestResponse::receive(sign_up(&none, Some(&silent))).await;
    let sent = none.creates()[0].headers["traceparent"].to_str().unwrap().to_owned();
    assert!(sent.ends_with("-02"), "not recorded: {sent}");
    none.stop().await.unwrap();
    assert_eq!(collector.spans(), []);
}

/// Anybody may send a `traceparent` that says that it is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_address_is_no_flood_of_spans() {
    let collector = Collector::default();
    let mut app = TestApp::builder()
        .set("traces.endpoint", &collector.start().await)
        .set("traces.sample_percent", "0")
        .set("limits.events.burst", "3")
        .set("limits.events.per_hour", "1")
        .spawn()
        .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..20 {
        let get = client.get(format!("http://{}/signup/policy", app.address));
        get.header("traceparent", PARENT).send().await.unwrap();
    }
    app.stop().await.unwrap();
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_logged_with_the_cause() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let variables = [("SIGNUP__TRACES__ENDPOINT", "http://127.0.0.1:1/v1/traces?canary")];
    let process = Process::start(&auth0, &variables).await;
    let get = process.client.get(format!("http://{}/signup/policy", process.address));
    get.header("traceparent", PARENT).send().await.unwrap();
    let event = process.event(|event| event["error"].is_string()).await;
    let message = event["message"].as_str().unwrap();
    assert!(message.starts_with("the collector of traces.endpoint"), "{event}");
    let error = event["error"].as_str().unwrap();
    assert!(error.contains("Connection refused") && !error.contains("canary"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_accepts_no_spans_is_logged_and_obeyed() {
    let auth0 = Emulator::builder().start().await.unwrap();
    for status in [200, 202, 308, 400, 503] {
        let collector = Collector(Arc::default(), StatusCode::from_u16(status).unwrap());
        let endpoint = collector.start().await;
        let variables = [("SIGNUP__TRACES__ENDPOINT", endpoint.as_str())];
        let mut process = Process::start(&auth0, &variables).await;
        let get = process.client.get(format!("http://{}/signup/policy", process.address));
        get.header("traceparent", PARENT).send().await.unwrap();
        // The spans that wait are sent before the service ends.
        process.terminate();
        assert_eq!(process.exit_status().await, Some(0), "{status}");
        let log = process.log();
        assert_eq!(log.contains("the collector of traces.endpoint"), status >= 300, "{log}");
        assert_eq!(log.contains(&format!("\"status\":{status},\"")), status >= 300, "{log}");
        assert_eq!(collector.0.lock().len(), 1, "{status}: sent once, as Retry-After asks");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_delays_no_sign_up() {
    // Held, but not listened on: another test's collector would get the spans on a port that is free.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = (format!("http://{}/v1/traces", closed.local_addr().unwrap()), closed);
    let mut app = TestApp::builder().set("traces.endpoint", &closed.0).spawn().await;
    let response = TestResponse::receive(sign_up(&app, Some(PARENT))).await;
    assert_eq!(response.status.as_u16(), 201);
    app.stop().await.unwrap();
}
