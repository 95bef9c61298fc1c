//! A PostgreSQL database for one test.

use crate::server::{execute, server};

/// Creates a database and returns its URL.
pub(crate) async fn database() -> String {
    let name = format!("api_{:032x}", rand::random::<u128>());
    execute(server(), &format!("CREATE DATABASE {name}")).await;
    server().replace("/postgres?", &format!("/{name}?"))
}
