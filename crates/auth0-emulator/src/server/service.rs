//! The requests of one connection: read, recorded in the journal, run, and delivered.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::exchange::{Delivery, ReceivedCall};
use super::response_body::{self, ResponseBody};
use super::wire::WireControl;
use crate::api::MAX_BODY_BYTES;
use crate::clock::TenantClock;
use crate::control;
use crate::fault::Breakage;
use crate::journal::JournalEntry;
use crate::state::EmulatorState;
use crate::tasks::Tasks;

/// The header with the tenant's own request id, of the Management API. The emulator sends the number in
/// its journal.
const MANAGEMENT_REQUEST_ID: &str = "ot-baggage-auth0-request-id";
/// The same header of the Authentication API.
const AUTHENTICATION_REQUEST_ID: &str = "x-auth0-requestid";

/// Serves the requests of one connection.
#[derive(Clone)]
pub(super) struct ConnectionHandler {
    /// The emulator's state.
    pub(super) state: Arc<EmulatorState>,
    /// The emulator's tasks.
    pub(super) tasks: Tasks,
    /// Breaks the connection on purpose.
    pub(super) control: Arc<WireControl>,
    /// The connection's number.
    pub(super) number: u64,
    /// Set if the connection uses TLS.
    pub(super) secure: bool,
}

/// Error that ends a request without a response.
#[derive(Debug)]
pub(super) struct NoResponse;

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request ends without a response")
    }
}

impl std::error::Error for NoResponse {}

impl ConnectionHandler {
    /// Serves one request.
    pub(super) async fn serve(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, NoResponse> {
        let (entry, base, complete) = self.receive(request).await;
        if let Some(path) = entry.path.strip_prefix(control::PREFIX) {
            if !complete {
                return Err(NoResponse);
            }
            return Ok(response_body::complete(control::respond(&self.state, path, &entry)));
        }
        let number = self.state.journal.record(entry.clone());
        if !complete {
            return Err(NoResponse);
        }
        let header = if entry.route().is_management() {
            MANAGEMENT_REQUEST_ID
        } else {
            AUTHENTICATION_REQUEST_ID
        };
        let call =
            ReceivedCall { state: Arc::clone(&self.state), tasks: self.tasks.clone(), entry, base };
        // If the task was cancelled, the emulator is stopping and closes the connection.
        let delivery = match self.tasks.spawn(call.delivery()).await {
            Ok(Some(delivery)) => delivery,
            Ok(None) | Err(_) => Delivery::Broken(Breakage::Close),
        };
        if let Some(status) = delivery.status() {
            self.state.journal.set_status(number, status);
        }
        let mut response = self.deliver(delivery).await;
        let request_id = HeaderValue::try_from(format!("{:016x}", number + 1));
        if let Ok(id) = request_id {
            response.headers_mut().insert(header, id);
        }
        Ok(response)
    }

    /// Reads a request. Returns its journal entry, its base URL, and whether it was received
    /// completely.
    async fn receive(&self, request: Request<Incoming>) -> (JournalEntry, String, bool) {
        let at = TenantClock::machine().into();
        let (head, body) = request.into_parts();
        let (body, complete) = read(body).await;
        let host = match head.uri.authority() {
            Some(authority) => authority.as_str(),
            None => head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        };
        let scheme = if self.secure { "https" } else { "http" };
        let base = format!("{scheme}://{host}");
        let entry = JournalEntry {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
            version: head.version,
            connection: self.number,
            at,
            status: None,
        };
        (entry, base, complete)
    }

    /// Sends the response, or breaks the connection instead.
    async fn deliver(&self, delivery: Delivery) -> Response<ResponseBody> {
        match delivery {
            Delivery::Complete(response) => return response_body::complete(response),
            Delivery::Truncated(response) => return response_body::truncated(response),
            Delivery::Slow(response, bytes, pause) => {
                return response_body::slow(response, bytes, pause);
            }
            Delivery::Broken(Breakage::Hang) => {}
            Delivery::Broken(Breakage::BlackHole) => self.control.silence(),
            Delivery::Broken(Breakage::Reset) => self.control.reset(),
            Delivery::Broken(Breakage::Close) => self.control.close(),
        }
        // The connection's own task carries out the close or reset; no response may be sent before
        // that.
        pending().await
    }
}

/// The bytes of a body, at most one more than the tenant accepts, and whether it was complete.
async fn read(mut body: Incoming) -> (Bytes, bool) {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return (bytes.freeze(), false);
        };
        if let Ok(data) = frame.into_data() {
            let room = MAX_BODY_BYTES + 1 - bytes.len();
            bytes.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        }
    }
    (bytes.freeze(), true)
}
