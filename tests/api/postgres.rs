//! A PostgreSQL database for one test.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::server::server;

/// Creates a database and returns its URL.
pub(crate) async fn database() -> String {
    let name = format!("api_{:032x}", rand::random::<u128>());
    let mut connection = PgConnection::connect(server()).await.expect("the tests' server");
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server().replace("/postgres?", &format!("/{name}?"))
}
