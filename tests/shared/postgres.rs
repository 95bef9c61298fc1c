//! The PostgreSQL server that tests share: one for a whole run, or one for each test process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

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
fn start() -> (String, Option<Child>) {
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
