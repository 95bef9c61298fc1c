//! PgBouncer before the tests' server, and the calls through it.

use std::io::Read as _;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth0_signup::ledger::{Access, BeginResult, UrlChange};
use uuid::Uuid;

use crate::backend::{Backend, NOW};
use crate::command::{self, stderr};
use crate::rows::{created, existing, keyed, unique, with_proof};
use crate::server::{connect, scalar, server};
use crate::temp_dir::TempDir;
use crate::unreliable_server::UnreliableServer;

/// The unit that the pooler gives a server connection for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    Session,
    Transaction,
    Statement,
}

/// A running PgBouncer.
pub(crate) struct Pooler {
    folder: TempDir,
    child: Child,
}

impl Pooler {
    /// Starts a pooler with three connections to the server.
    pub(crate) fn start(mode: Mode) -> Self {
        Self::start_with(mode, |_| String::new())
    }

    /// Starts a pooler with more settings, which may name files in its folder.
    fn start_with(mode: Mode, settings: impl Fn(&Path) -> String) -> Self {
        let folder = TempDir::new();
        let (_, host) = server().split_once("?host=").expect("a socket");
        let mode = format!("{mode:?}").to_lowercase();
        let users = folder.file("users", "\"postgres\" \"\"\n");
        let settings = format!(
            "[databases]\n* = host={host}\n[pgbouncer]\nunix_socket_dir = {socket}\n\
             listen_port = 6432\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\n\
             default_pool_size = {size}\nmax_client_conn = 100\n{more}",
            socket = folder.path().display(),
            users = users.display(),
            size = if mode == "session" { 40 } else { 3 },
            more = settings(folder.path()),
        );
        folder.file("pgbouncer.ini", settings);
        let child = run(folder.path());
        Self { folder, child }
    }

    /// The URL of a database behind the pooler.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}&port=6432",
            self.folder.path().display()
        )
    }

    /// Starts a pooler that accepts TLS alone, on this port of loopback, as `localhost`.
    fn start_with_tls(port: u16) -> Self {
        Self::start_with_certificate(port, make_certificate)
    }

    /// Starts one whose certificate has no extensions, as the manual of PostgreSQL makes it.
    fn start_with_plain_certificate(port: u16) -> Self {
        Self::start_with_certificate(port, |key, certificate| {
            let request = format!("{certificate}.request");
            openssl(&[&NEW_KEY, &["-keyout", key, "-out", &request]]);
            let signed = ["x509", "-req", "-in", &request, "-signkey", key, "-out", certificate];
            openssl(&[&signed]);
            let text = openssl(&[&["x509", "-noout", "-text", "-in", certificate]]);
            assert!(text.contains("Version: 1 "), "{text}");
        })
    }

    /// Starts one that has the certificate of its clients, and accepts no other.
    fn start_with_client_certificate(port: u16) -> Self {
        Self::start_with(Mode::Transaction, |folder| {
            let [key, certificate] = tls_files(folder);
            make_certificate(&key, &certificate);
            format!(
                "listen_addr = 127.0.0.1\nlisten_port = {port}\nclient_tls_sslmode = verify-ca\n\
                 client_tls_key_file = {key}\nclient_tls_cert_file = {certificate}\n\
                 client_tls_ca_file = {certificate}\n"
            )
        })
    }

    fn start_with_certificate(port: u16, make: impl Fn(&str, &str)) -> Self {
        Self::start_with(Mode::Transaction, |folder| {
            let [key, certificate] = tls_files(folder);
            make(&key, &certificate);
            format!(
                "listen_addr = 127.0.0.1\nlisten_port = {port}\nclient_tls_sslmode = require\n\
                 client_tls_key_file = {key}\nclient_tls_cert_file = {certificate}\n"
            )
        })
    }

    /// Kills the pooler.
    pub(crate) fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("its end");
        if let Some(socket) = socket(self.folder.path()) {
            std::fs::remove_file(socket).ok();
        }
    }

    /// Starts it again after [`Self::stop`].
    pub(crate) fn restart(&mut self) {
        self.child = run(self.folder.path());
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path) -> Child {
    let mut command = Command::new("pgbouncer");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin"));
    // It does not run as root.
    if rustix::process::geteuid().is_root() {
        let chown = Command::new("chown").arg("-R").arg("postgres").arg(folder).status();
        assert!(chown.expect("chown").success());
        command.args(["--user", "postgres"]);
    }
    let child = command
        .arg("--quiet")
        .arg(folder.join("pgbouncer.ini"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need PgBouncer: apt-get install pgbouncer");
    let started = Instant::now();
    // Until the pooler has closed it, it counts as a client.
    let connects_and_ends = |path| {
        let connected = UnixStream::connect(path).and_then(|mut probe| {
            probe.set_read_timeout(Some(Duration::from_secs(5)))?;
            probe.shutdown(Shutdown::Write)?;
            probe.read(&mut [0])
        });
        connected.is_ok()
    };
    while !socket(folder).is_some_and(connects_and_ends) {
        assert!(started.elapsed() < Duration::from_secs(30), "pgbouncer does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// The socket of a pooler that runs.
fn socket(folder: &Path) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(folder).expect("a folder").flatten();
    let is_socket =
        |name: &str| name.strip_prefix(".s.PGSQL.").is_some_and(|port| port.parse::<u16>().is_ok());
    files.find(|file| file.file_name().to_str().is_some_and(is_socket)).map(|file| file.path())
}

/// The arguments of a request for a certificate with a new key.
const NEW_KEY: [&str; 8] = [
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=localhost",
];

/// Runs `openssl`, and returns its output.
fn openssl(arguments: &[&[&str]]) -> String {
    let made = Command::new("openssl").args(arguments.concat()).output().expect("openssl");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).expect("text")
}

/// The files of a key and its certificate in a folder.
fn tls_files(folder: &Path) -> [String; 2] {
    ["key.pem", "certificate.pem"].map(|name| folder.join(name).display().to_string())
}

/// Makes a certificate of `localhost`, with a new key.
fn make_certificate(key: &str, certificate: &str) {
    let names = ["-addext", "subjectAltName=DNS:localhost"];
    let kind = ["-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&NEW_KEY, &["-x509", "-keyout", key, "-out", certificate], &names, &kind]);
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("its address").port()
}

/// Starts, duplicates and ends attempts on three replicas at once.
async fn use_replicas(backend: &Backend, pooler: &Pooler) {
    // Never reached, also on a busy machine.
    let mut behind = backend.through(&pooler.url(&backend.database()));
    behind.settings.timeout = Duration::from_mins(1);
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(behind.open_plain().await);
    }
    let started_at = Instant::now();
    let tasks = (0..300).map(|number: usize| {
        let ledger = Arc::clone(&replicas[number % 3]);
        tokio::spawn(async move {
            let key = u32::try_from(number / 3).unwrap();
            let mut attempt = keyed(key, NOW);
            if number.is_multiple_of(2) {
                attempt.admission_cost = with_proof(u32::try_from(number).unwrap()).admission_cost;
            }
            let result = ledger.begin(attempt.clone()).await.unwrap();
            if result == BeginResult::Started {
                assert!(ledger.finish(created(attempt.id)).await.unwrap());
                return true;
            }
            assert!(existing(&result).is_some(), "{result:?}");
            ledger.ping(false).await.unwrap();
            false
        })
    });
    let mut started = 0;
    for task in tasks.collect::<Vec<_>>() {
        started += usize::from(task.await.unwrap());
    }
    println!("300 sign-ups behind a pooler: {:?}", started_at.elapsed());
    assert_eq!(started, 100);
    assert_eq!(backend.count("attempts").await, 100);
    for ledger in replicas {
        ledger.heartbeat(Uuid::nil()).await.unwrap();
        ledger.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_transactions_is_supported_and_keeps_no_setting() {
    let backend = Backend::postgres().await;
    let pooler = Pooler::start(Mode::Transaction);
    // The first one migrates, through the pooler.
    use_replicas(&backend, &pooler).await;
    let other = connect(&pooler.url(&backend.database())).await;
    let changed = "SELECT string_agg(name, ' ') FROM pg_settings WHERE source = 'session' \
        AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone')";
    for _ in 0..10 {
        for message in other.simple_query(changed).await.unwrap() {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                assert_eq!(row.get(0), None);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_sessions_is_supported() {
    let backend = Backend::postgres().await;
    use_replicas(&backend, &Pooler::start(Mode::Session)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_statements_is_rejected_at_start() {
    let backend = Backend::postgres().await;
    let pooler = Pooler::start(Mode::Statement);
    let behind = backend.through(&pooler.url(&backend.database()));
    let text = stderr(&command::run(&behind, &["migrate"]), 2);
    assert!(text.contains("needs pool_mode = transaction or session"), "{text}");
    assert!(text.contains("statement pooling"), "{text}");
}

/// PgBouncer 1.18 gives everything that it rejects the same code.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_a_pooler_rejects_is_named_at_start() {
    let backend = Backend::postgres().await;
    let no_password = Pooler::start(Mode::Transaction);
    let md5 = Pooler::start_with(Mode::Transaction, |_| "auth_type = md5\n".to_owned());
    let scram = Pooler::start_with(Mode::Transaction, |_| "auth_type = scram-sha-256\n".to_owned());
    let name = backend.database();
    for (url, message) in [
        (
            no_password.url(&name).replace("postgres@", "stranger@"),
            "\"trust\" authentication failed",
        ),
        (no_password.url("missing"), "\"missing\" does not exist"),
        (md5.url(&name).replace("postgres@", "postgres:wrong@"), "password authentication failed"),
        (md5.url(&name).replace("postgres@", "stranger:wrong@"), "password authentication failed"),
        (scram.url(&name).replace("postgres@", "stranger:wrong@"), "SASL authentication failed"),
    ] {
        let text = stderr(&command::run(&backend.through(&url), &["migrate"]), 2);
        assert!(text.contains("rejects what database.url (DATABASE_URL) names"), "{text}");
        assert!(text.contains(message), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_restarts_costs_no_sign_up_afterwards() {
    let backend = Backend::postgres().await;
    let mut pooler = Pooler::start(Mode::Transaction);
    let ledger = backend.through(&pooler.url(&backend.database())).open_plain().await;
    for _ in 0..3 {
        assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
        pooler.stop();
        pooler.restart();
        assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_recognised_before_a_host_that_is_down() {
    let backend = Backend::postgres().await;
    let pooler = Pooler::start(Mode::Transaction);
    let hosts = format!("?host={},/nowhere&port=6432,6432", pooler.folder.path().display());
    let url = format!("postgres://postgres@localhost/{}{hosts}", backend.database());
    let ledger = backend.through(&url).open_plain().await;
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
}

/// The number of sessions in the database whose last statement was the end of an explicit transaction, as
/// in one without prepared statements.
const WITHOUT_SETTINGS: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = current_database() AND query = 'COMMIT'";

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_rejects_logins_leaves_the_other_hosts() {
    let backend = Backend::postgres().await;
    let pooler = Pooler::start_with(Mode::Transaction, |_| "max_client_conn = 1\n".to_owned());
    let name = backend.database();
    let _only = connect(&pooler.url(&name)).await;
    let (_, server) = server().split_once("?host=").expect("a socket");
    let pooler = pooler.folder.path().display();
    let url = format!("postgres://postgres@localhost/{name}?host={pooler},{server}&port=6432,5432");
    let ledger = backend.through(&url).open_plain().await;
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    let observer = connect(&backend.url()).await;
    assert_eq!(scalar::<i64>(&observer, WITHOUT_SETTINGS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_at_its_start_is_not_taken_for_a_poolers() {
    let backend = Backend::postgres().await;
    let proxy = UnreliableServer::start();
    let ledger = backend.through(&proxy.url(&backend.database())).open_plain().await;
    proxy.break_connection();
    // Whether it starts does not matter here.
    let _begun = ledger.begin(unique(NOW)).await;
    assert!(proxy.has_broken_connection());
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    let observer = connect(&backend.url()).await;
    assert_eq!(scalar::<i64>(&observer, WITHOUT_SETTINGS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_checks_what_it_says() {
    let backend = Backend::postgres().await;
    let port = free_port();
    let pooler = Pooler::start_with_tls(port);
    let root = format!("&sslrootcert={}", pooler.folder.path().join("certificate.pem").display());
    for (host, parameters, works) in [
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", String::new(), true),
        ("localhost", "sslmode=prefer".to_owned(), true),
        ("localhost", "sslmode=require".to_owned(), true),
        ("localhost", "sslmode=verify-ca".to_owned(), false),
        ("localhost", "sslmode=verify-full".to_owned(), false),
        ("localhost", format!("sslmode=verify-full{root}"), true),
        ("127.0.0.1", format!("sslmode=verify-full{root}"), false),
        ("127.0.0.1", format!("sslmode=verify-ca{root}"), true),
        // The second host is tried, and the name of the first does not count.
        ("127.0.0.1:1,localhost", format!("sslmode=verify-full{root}"), true),
    ] {
        let url = format!("postgres://postgres@{host}:{port}/{}?{parameters}", backend.database());
        let opened = backend.through(&url).try_open_plain(Access::Service).await;
        assert_eq!(opened.is_ok(), works, "{host} {parameters}: {:?}", opened.map(drop));
    }
}

/// Every file that the URL names has a new content, at the same path.
#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_are_taken_up() {
    let backend = Backend::postgres().await;
    let port = free_port();
    let mut pooler = Pooler::start_with_client_certificate(port);
    let [key, certificate] = tls_files(pooler.folder.path());
    let url = format!(
        "postgres://postgres@localhost:{port}/{}?sslmode=verify-full&sslrootcert={certificate}\
         &sslcert={certificate}&sslkey={key}",
        backend.database()
    );
    let ledger = backend.through(&url).open_plain().await;
    let url = url.into();
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
    assert_eq!(ledger.replace_url(&url).await.unwrap(), UrlChange::Unchanged);

    // Half of the files have changed: the key is another certificate's.
    let old_key = std::fs::read(&key).unwrap();
    pooler.stop();
    make_certificate(&key, &certificate);
    let new_key = std::fs::read(&key).unwrap();
    std::fs::write(&key, old_key).unwrap();
    assert!(ledger.replace_url(&url).await.is_err());
    std::fs::write(&key, new_key).unwrap();
    pooler.restart();
    assert!(ledger.begin(unique(NOW)).await.is_err(), "the old certificates are in use");
    assert_eq!(ledger.replace_url(&url).await.unwrap(), UrlChange::Replaced);
    assert_eq!(ledger.replace_url(&url).await.unwrap(), UrlChange::Unchanged);
    assert_eq!(ledger.begin(unique(NOW)).await.unwrap(), BeginResult::Started);
}

/// A certificate that is not checked is not read either.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_any_form_is_accepted_if_sslmode_checks_none() {
    let backend = Backend::postgres().await;
    let port = free_port();
    let pooler = Pooler::start_with_plain_certificate(port);
    let root = format!("&sslrootcert={}", pooler.folder.path().join("certificate.pem").display());
    for (parameters, works) in [
        (String::new(), true),
        ("sslmode=require".to_owned(), true),
        (format!("sslmode=verify-ca{root}"), false),
    ] {
        let url =
            format!("postgres://postgres@localhost:{port}/{}?{parameters}", backend.database());
        let opened = backend.through(&url).try_open_plain(Access::Service).await;
        assert_eq!(opened.is_ok(), works, "{parameters}: {:?}", opened.map(drop));
    }
}
