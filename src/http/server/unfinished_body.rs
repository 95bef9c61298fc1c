//! A request's connection while its body arrives: it counts for the client, and may be cut to make
//! room for others.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::conn_state::{ConnState, TrackedConnection};
use crate::abuse::{ClientAddress, Counted, Network, SourceCounts};

/// The time that a body has to arrive once the service stops.
const BODY_AT_SHUTDOWN: Duration = Duration::from_secs(2);

/// The connection of a request. In the extensions of every request that came through one.
#[derive(Debug, Clone)]
pub(in crate::http) struct RequestConnection {
    connection: Arc<TrackedConnection>,
    unfinished: SourceCounts,
    stopping: CancellationToken,
}

/// A body that is arriving. Dropping it ends the wait.
#[derive(Debug)]
pub(in crate::http) struct UnfinishedBody {
    connection: Arc<TrackedConnection>,
    stopping: CancellationToken,
    _counted: Counted,
}

impl RequestConnection {
    pub(super) const fn new(
        connection: Arc<TrackedConnection>,
        unfinished: SourceCounts,
        stopping: CancellationToken,
    ) -> Self {
        Self { connection, unfinished, stopping }
    }

    /// Starts to wait for a body of this client; `None` if the client has too many unfinished ones.
    pub(in crate::http) fn wait_for_body(&self, client: ClientAddress) -> Option<UnfinishedBody> {
        let counted = self.unfinished.add(Network::from(client.ip()))?;
        self.connection.enter(ConnState::Body);
        let (connection, stopping) = (Arc::clone(&self.connection), self.stopping.clone());
        Some(UnfinishedBody { connection, stopping, _counted: counted })
    }
}

impl UnfinishedBody {
    /// Resolves when the body has to be given up: to make room for other clients, or because the
    /// service stops.
    pub(in crate::http) async fn cut(&self) {
        tokio::select! {
            () = self.connection.cut.notified() => {}
            () = self.stopping.cancelled() => sleep(BODY_AT_SHUTDOWN).await,
        }
    }
}

impl Drop for UnfinishedBody {
    fn drop(&mut self) {
        self.connection.enter(ConnState::Active);
    }
}
