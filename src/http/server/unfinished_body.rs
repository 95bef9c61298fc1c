//! A request's connection while its body arrives, when it may be cut to make room for others, and
//! while the request is handled. Both count for the client.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::conn_state::{ConnState, TrackedConnection};
use super::connection_table::ConnectionTable;
use super::memory::FormMemory;
use crate::abuse::{ClientAddress, Counted, Network};

/// The connection of a request. In the extensions of every request that came through one.
#[derive(Debug, Clone)]
pub(in crate::http) struct RequestConnection {
    connection: Arc<TrackedConnection>,
    table: ConnectionTable,
    bodies_over: CancellationToken,
}

/// A body that is arriving. Dropping it ends the wait.
#[derive(Debug)]
pub(in crate::http) struct UnfinishedBody {
    request: RequestConnection,
    client: Network,
    _counted: Counted,
}

/// A complete form that is being handled. Its client may have only so many at once.
#[derive(Debug)]
pub(in crate::http) struct FormUnderWay {
    _counted: Counted,
    _memory: FormMemory,
}

impl RequestConnection {
    pub(super) const fn new(
        connection: Arc<TrackedConnection>,
        table: ConnectionTable,
        bodies_over: CancellationToken,
    ) -> Self {
        Self { connection, table, bodies_over }
    }

    /// Starts to wait for a body of this client; `None` if the client has too many unfinished ones.
    pub(in crate::http) fn wait_for_body(self, client: ClientAddress) -> Option<UnfinishedBody> {
        let client = Network::from(client.ip());
        let counted = self.table.count_unfinished_body(client)?;
        self.connection.wait_for_body(client);
        Some(UnfinishedBody { request: self, client, _counted: counted })
    }
}

impl UnfinishedBody {
    /// Records that the whole body was read.
    pub(in crate::http) fn set_read(&self) {
        self.request.connection.set_body_read();
    }

    /// The number of further forms that there is memory for.
    pub(in crate::http) fn room(&self) -> usize {
        self.request.table.room_for_forms()
    }

    /// Ends the wait for a body that is complete. `None` if the client's block has half of `room` forms
    /// under way: so one block cannot take the last places, and a client of another gets its first.
    pub(in crate::http) fn complete(self, room: usize) -> Option<FormUnderWay> {
        let RequestConnection { connection, table, .. } = &self.request;
        let counted = table.count_under_way(room, self.client)?;
        let memory = table.hold_form(connection);
        Some(FormUnderWay { _counted: counted, _memory: memory })
    }

    /// Resolves when the body has to be given up: to make room for other clients, or because the
    /// service has begun to stop a while ago.
    pub(in crate::http) async fn cut(&self) {
        let RequestConnection { connection, bodies_over, .. } = &self.request;
        tokio::select! {
            () = connection.cut.notified() => {}
            () = bodies_over.cancelled() => {}
        }
    }
}

impl Drop for UnfinishedBody {
    fn drop(&mut self) {
        self.request.connection.enter(ConnState::Active);
    }
}
