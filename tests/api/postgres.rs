//! A PostgreSQL database of a test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The URL of a new database.
pub(crate) async fn database() -> String {
    let name = format!("api_{:032x}", rand::random::<u128>());
    let mut connection = PgConnection::connect(server()).await.expect("the tests' server");
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server().replace("/postgres?", &format!("/{name}?"))
}

/// The URL of the tests' server, started when nobody has.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => (url, None),
        Err(_) => start(),
    });
    url
}

/// The script ends the cluster when its standard input does, which is when this process has ended.
fn start() -> (String, Option<Child>) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-postgres");
    let mut child = Command::new(script)
        .args(["sh", "-c", "echo \"$TEST_DATABASE_URL\"; exec >&-; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/with-postgres");
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(!url.trim().is_empty(), "these tests need PostgreSQL: apt-get install postgresql");
    (url.trim().to_owned(), Some(child))
}
