//! The router in use, which a reload of the settings replaces.

use std::sync::Arc;

use axum::Router;
use parking_lot::RwLock;

use crate::abuse::Proxies;

/// The parts of a listener that the settings may change.
#[derive(Debug, Clone)]
pub struct Routing {
    /// Every route and layer.
    pub router: Router,
    /// The proxies that may have any number of connections.
    pub proxies: Arc<Proxies>,
}

/// The routing in use. Clones share it. A request keeps the one that it started with.
#[derive(Debug, Clone)]
pub struct LiveRouter(Arc<RwLock<Routing>>);

impl LiveRouter {
    /// Starts with this routing.
    pub fn new(routing: Routing) -> Self {
        Self(Arc::new(RwLock::new(routing)))
    }

    /// Replaces the routing, for requests that start from now on.
    pub fn replace(&self, routing: Routing) {
        *self.0.write() = routing;
    }

    /// The router in use.
    pub(super) fn router(&self) -> Router {
        self.0.read().router.clone()
    }

    /// The proxies in use.
    pub(super) fn proxies(&self) -> Arc<Proxies> {
        Arc::clone(&self.0.read().proxies)
    }
}
