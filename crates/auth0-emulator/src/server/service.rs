//! The requests of one connection: read, written down, handed on, and answered or not.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::exchange::{Arrived, Outcome};
use super::reply::{self, ReplyBody};
use super::wire::Control;
use crate::api::LARGEST_BODY;
use crate::clock::Clock;
use crate::control;
use crate::journal::Entry;
use crate::tasks::Tasks;
use crate::world::World;

/// The header with the tenant's own name for a request: here its number in the journal.
const REQUEST_ID: &str = "ot-baggage-auth0-request-id";

/// One connection, as its requests see it.
#[derive(Clone)]
pub(super) struct Connection {
    /// The emulator.
    pub(super) world: Arc<World>,
    /// Its tasks.
    pub(super) tasks: Tasks,
    /// What may break the connection.
    pub(super) control: Arc<Control>,
    /// The connection's number.
    pub(super) number: u64,
    /// Whether it is under TLS.
    pub(super) secure: bool,
}

/// Why a request gets no answer. On h2 the reason becomes that of the stream's reset.
#[derive(Debug)]
pub(super) struct Unanswered(Option<h2::Error>);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left unanswered on purpose")
    }
}

impl std::error::Error for Unanswered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Some(error) => Some(error),
            None => None,
        }
    }
}

impl Connection {
    /// Serves one request.
    pub(super) async fn serve(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, Unanswered> {
        let version = request.version();
        let (entry, base, complete) = self.arrived(request).await;
        if let Some(path) = entry.path.strip_prefix(control::PREFIX)
            && complete
        {
            return Ok(reply::whole(control::answer(&self.world, path, &entry)));
        }
        let number = self.world.journal.record(entry.clone());
        if !complete {
            return Err(Unanswered(None));
        }
        let arrived =
            Arrived { world: Arc::clone(&self.world), tasks: self.tasks.clone(), entry, base };
        // Without an outcome the emulator is stopping, and the connection with it.
        let outcome = match self.tasks.spawn(arrived.outcome()).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => Outcome::Close,
        };
        if let Some(status) = outcome.status() {
            self.world.journal.answered(number, status);
        }
        let mut response = self.shown(outcome, version).await?;
        let request_id = HeaderValue::try_from(format!("{:016x}", number + 1));
        if let Ok(id) = request_id {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response)
    }

    /// Reads a request: the entry for the journal, the address that was asked, and whether all of
    /// it came.
    async fn arrived(&self, request: Request<Incoming>) -> (Entry, String, bool) {
        let at = Clock::machine().into();
        let (head, body) = request.into_parts();
        let (body, complete) = read(body).await;
        let host = match head.uri.authority() {
            Some(authority) => authority.as_str(),
            None => head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        };
        let scheme = if self.secure { "https" } else { "http" };
        let base = format!("{scheme}://{host}");
        let entry = Entry {
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

    /// Shows the client the outcome, or what there is instead of one.
    async fn shown(
        &self,
        outcome: Outcome,
        version: Version,
    ) -> Result<Response<ReplyBody>, Unanswered> {
        let is_h2 = version == Version::HTTP_2;
        match outcome {
            Outcome::Answer(answer) => return Ok(reply::whole(answer)),
            Outcome::Truncated(answer) => return Ok(reply::cut(answer)),
            Outcome::Slow(answer, bytes, pause) => return Ok(reply::slow(answer, bytes, pause)),
            Outcome::StreamReset(code) if is_h2 => {
                return Err(Unanswered(Some(h2::Reason::from(code).into())));
            }
            Outcome::GoAway(code) if is_h2 => self.control.go_away(code),
            Outcome::Hang => {}
            Outcome::BlackHole => self.control.silence(),
            Outcome::Reset => self.control.reset(),
            Outcome::Close | Outcome::StreamReset(_) | Outcome::GoAway(_) => self.control.close(),
        }
        // Whatever is to happen to the connection happens on its own task; no answer may come
        // before it.
        pending().await
    }
}

/// The bytes of a body, at most one more than the tenant reads, and whether it came to its end.
async fn read(mut body: Incoming) -> (Bytes, bool) {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return (bytes.freeze(), false);
        };
        if let Ok(data) = frame.into_data() {
            let room = LARGEST_BODY + 1 - bytes.len();
            bytes.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        }
    }
    (bytes.freeze(), true)
}
