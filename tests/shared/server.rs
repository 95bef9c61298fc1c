//! The PostgreSQL server that tests share: one for a whole run, or one for each test process. And the
//! connections of the tests themselves.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use auth0_signup::config::PostgresUrl;
use tokio_postgres::{Client, NoTls};

/// The URL of the tests' server, which is started if `TEST_DATABASE_URL` names none.
pub(crate) fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => (url, None),
        Err(_) => start(),
    });
    url
}

/// Starts a cluster. The script removes it when its standard input closes, which happens when this
/// process ends for any reason.
pub(crate) fn start() -> (String, Option<Child>) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-postgres");
    let mut child = Command::new(script)
        .args(["sh", "-c", "echo \"$TEST_DATABASE_URL\"; exec >&-; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/with-postgres");
    let mut url = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
    assert!(!url.trim().is_empty(), "these tests need PostgreSQL: apt-get install postgresql");
    (url.trim().to_owned(), Some(child))
}

/// Creates a database and returns its URL.
pub(crate) async fn database() -> String {
    let name = format!("test_{:032x}", rand::random::<u128>());
    execute(server(), &format!("CREATE DATABASE {name}")).await;
    server().replace("/postgres?", &format!("/{name}?"))
}

/// A connection of the test's own.
pub(crate) async fn connect(url: &str) -> Client {
    let url = PostgresUrl::parse(&url.to_owned().into()).expect("a URL");
    let (client, connection) = url.hosts[0].connect(NoTls).await.expect("the tests' server");
    tokio::spawn(async move { drop(connection.await) });
    client
}

/// Runs statements over a connection of their own.
pub(crate) async fn execute(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.expect(sql);
}

/// The first column of the only row.
pub(crate) async fn scalar<T>(client: &Client, sql: &str) -> T
where
    T: for<'a> tokio_postgres::types::FromSql<'a>,
{
    client.query_one(sql, &[]).await.expect(sql).get(0)
}
