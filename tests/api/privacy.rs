//! Canary test: marked values pass through every outcome. The log, every response, the metrics and
//! every file that the process wrote are then searched for them.
//!
//! Runs the real binary at the most verbose log level.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use auth0_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Fault, Route};
use reqwest::Client;
use serde_json::{Value, json};

use crate::app::ada_with;
use crate::eventually::eventually;
use crate::process::{CAPTCHA, Process};
use crate::server::{connect, database};
use crate::temp_dir::TempDir;

const SECRET: &str = "canary-client-secret-4f7a";
const PASSWORD: &str = "Canary-Password-81";
const PHONE_NUMBER: &str = "+15550177123";
/// The other personal values of the form, each marked.
const PERSONAL: [(&str, &str); 6] = [
    ("name", "Canaryname"),
    ("given_name", "Canarygiven"),
    ("family_name", "Canaryfamily"),
    ("nickname", "canarynick"),
    ("picture", "https://example.com/canarypicture.png"),
    ("phone_number", PHONE_NUMBER),
];

/// The routes that sign users up, and the prefix of their users' addresses.
const ROUTES: [(&str, &str); 2] =
    [("/signup", "canary.mail"), ("/dbconnections/signup", "canary.lock")];

/// A marked form; each number is another user.
fn person(nth: usize) -> Value {
    let mut form = json!({"password": PASSWORD, "user_metadata": {"plan": "canaryplan"}});
    for (name, value) in PERSONAL {
        form[name] = value.into();
    }
    form["email"] = format!("canary.mail.{nth}@example.com").into();
    form
}

#[tokio::test]
async fn no_secret_or_personal_value_is_logged_returned_or_stored_with_sqlite() {
    run_through_every_outcome(&[]).await;
}

#[tokio::test]
async fn no_secret_or_personal_value_is_logged_returned_or_stored_with_postgresql() {
    let database = database().await;
    let settings = [
        ("DATABASE_URL", &*database),
        ("SIGNUP__SECRETS__KEY", "canary-key-of-at-least-32-bytes-9c1"),
    ];
    run_through_every_outcome(&settings).await;
    let connection = connect(&database).await;
    let tables = "SELECT relname::text FROM pg_class \
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let tables = connection.query(tables, &[]).await.unwrap();
    assert!(tables.len() > 5, "{tables:?}");
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let rows = connection.query(&format!("SELECT {table}::text FROM {table}"), &[]).await;
        for row in rows.unwrap() {
            let row: String = row.get(0);
            // Also as the bytes that the database prints.
            for marker in ["canary", "63616e617279", "43616e617279", "43414e415259"] {
                assert!(!row.to_lowercase().contains(marker), "{table}: {row}");
            }
        }
    }
}

/// Sends marked values through every outcome, and looks for them everywhere.
async fn run_through_every_outcome(database: &[(&str, &str)]) {
    let auth0 = Emulator::builder().tenant(|tenant| tenant.client_secret = SECRET.into());
    let auth0 = auth0.start().await.unwrap();
    let settings = [
        ("AUTH0_CLIENT_SECRET", SECRET),
        ("SIGNUP__AUTH0__TIMEOUT_MS", "500"),
        ("SIGNUP__FIELDS__PHONE_NUMBER", "optional"),
        ("SIGNUP__USER_METADATA__ALLOW", "plan"),
        // All requests come from one address.
        ("SIGNUP__LIMITS__ADDRESS__BURST", "1000"),
        ("SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST", "1000"),
        ("RUST_LOG", "trace"),
    ];
    let settings: Vec<_> = settings.iter().chain(database).copied().collect();
    let mut process = Process::start(&auth0, &settings).await;
    let client = process.client.clone();
    let base = format!("http://{}", process.address);
    for path in ["/canary-path?email=canary.mail@example.com", "/signup?ui_locales=canary"] {
        let request = client.get(format!("{base}{path}")).header("user-agent", "canary-agent");
        let request = request.header("authorization", "Bearer canary-bearer");
        request.header("idempotency-key", "canary-key-of-a-client").send().await.unwrap();
    }
    let mut responses = Vec::new();
    // Each body goes to every route that signs users up.
    let mut post = async |body: String| {
        let sent = ROUTES.map(|(route, marked)| {
            let body = body.replace("canary.mail", marked);
            let request = client.post(format!("{base}{route}")).body(body);
            let request = request.header("content-type", "application/json");
            async move { request.send().await.unwrap().text().await.unwrap() }
        });
        let [first, second] = sent;
        let (first, second) = tokio::join!(first, second);
        responses.extend([first, second]);
    };

    post(person(0).to_string()).await;
    post(person(0).to_string()).await;
    let mut taken = person(0);
    taken["password"] = format!("{PASSWORD}!").into();
    post(taken.to_string()).await;

    let bearer = "canary-leak";
    let echo = json!({
        "statusCode": 400,
        "errorCode": format!("{PASSWORD} {bearer}"),
        "message": format!("invalid {} and {PASSWORD}", "canary.mail.1@example.com"),
    })
    .to_string();
    let faults = [
        Fault::answer(400).body(echo.clone()),
        Fault::answer(418).body(echo.clone()),
        Fault::answer(500).body(echo.clone()),
        Fault::answer(201).body(echo.clone()),
        Fault::answer(401).body(echo.clone()),
        Fault::answer(403).body(echo.clone()),
        Fault::answer(409).body(echo.clone()),
        Fault::answer(429).body(echo.clone()),
        Fault::answer(302).header("location", "https://example.com/canary-leak"),
        Fault::close(),
        Fault::reset(),
        Fault::truncated(),
        Fault::hang(),
    ];
    for (nth, fault) in faults.into_iter().enumerate() {
        auth0.fault(Route::CreateUser, fault.always());
        post(person(nth + 1).to_string()).await;
        auth0.clear_faults();
    }
    let mut broken = person(50);
    for (name, _) in PERSONAL {
        broken[name] = format!("{}\u{7}", broken[name].as_str().unwrap()).into();
    }
    broken["password"] = "Canary-".into();
    post(broken.to_string()).await;
    post(format!("{{\"email\":\"{}\",{}", "canary.mail.1@example.com", person(52))).await;
    for (name, value) in
        [("altcha", "canary-proof"), ("form_token", "canary-form"), ("subject", "canary-trap")]
    {
        let mut suspicious = person(53);
        suspicious[name] = value.into();
        post(suspicious.to_string()).await;
    }
    auth0.fault(Route::Token, Fault::answer(401).body(echo));
    auth0.revoke_tokens();
    post(person(52).to_string()).await;
    responses.push(process.metrics().await);
    // Responses to created users contain their data, but no secret.
    let (created, responses): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| {
        response.contains("\"status\":\"created\"") || response.starts_with("{\"_id\":")
    });
    assert!(created.len() >= 4, "{created:?}");
    assert!(!created.iter().any(|response| response.contains(PASSWORD)), "{created:?}");

    process.terminate();
    let token = auth0.calls(Route::CreateUser)[0].header("authorization").unwrap().to_owned();
    let token = token.trim_start_matches("Bearer ");
    // All but a telephone number and the token have one of the words.
    let canaries = ["canary", "Canary", PHONE_NUMBER, token];
    for (where_, text) in files(process.folder()).into_iter().chain(
        responses.into_iter().enumerate().map(|(nth, text)| (format!("response {nth}"), text)),
    ) {
        for canary in canaries {
            let found = text.lines().find(|line| line.contains(canary));
            assert!(found.is_none(), "{canary} in {where_}: {found:?}");
        }
    }
}

/// Runs a command to its end, or until a service has had time to start. Returns what it printed.
fn output_of(arguments: &[String], variables: &[(&str, &str)]) -> String {
    let folder = TempDir::new();
    let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
    let printed = file("printed");
    write!(file("typed"), "canary.mail@example.com").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        // Where the demo keeps what it would remove at its end.
        .env("TMPDIR", folder.path())
        .envs(variables.iter().copied())
        .stdin(fs::File::open(folder.path().join("typed")).unwrap())
        .stdout(printed.try_clone().unwrap())
        .stderr(printed)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    child.wait().unwrap();
    fs::read_to_string(folder.path().join("printed")).unwrap()
}

/// The subcommands that have none of their own, as `--help` lists them.
fn subcommands(path: &[String]) -> Vec<Vec<String>> {
    let help = output_of(&[path, &["--help".to_owned()]].concat(), &[]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    let names = listed.filter_map(|line| line.split_whitespace().next()).filter(|n| *n != "help");
    let mut leaves = Vec::new();
    for name in names {
        leaves.extend(subcommands(&[path, &[name.to_owned()]].concat()));
    }
    if leaves.is_empty() { vec![path.to_owned()] } else { leaves }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_subcommand_prints_a_secret_whatever_is_wrong() {
    const ID: &str = "0199f0d8-5f4e-7c5a-8f00-5b8d0c1f5c11";
    let auth0 = Emulator::builder().tenant(|tenant| tenant.client_secret = SECRET.into());
    let auth0 = auth0.start().await.unwrap();
    let database = database().await;
    let with_parameter = format!("{database}&sslpassword=canary-sslpassword");
    let right = [
        ("AUTH0_DOMAIN", auth0.url()),
        ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
        ("AUTH0_CLIENT_SECRET", SECRET),
        ("SIGNUP__SECRETS__KEY", "canary-key-of-at-least-32-bytes-9c1"),
        ("HTTPS_PROXY", "http://canary-user:canary-password@127.0.0.1:1"),
        ("PORT", "0"),
        ("SIGNUP__ADMIN__PORT", "0"),
        ("RUST_LOG", "trace"),
    ];
    let files = TempDir::new();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let broken = file("broken.toml", "[auth0]\nclient_secret = canary-unquoted\n");
    let mistyped =
        file("mistyped.toml", "[auth0]\nclient_secret = [\"canary-list\"]\n[secrets]\nkey = 3\n");
    let misplaced = file(
        "misplaced.toml",
        "[auth]\nclient_secret = \"canary-misplaced\"\n[database]\nurl = {password = \"canary\"}\n",
    );
    let two_lines = file("secret", "canary-first-line\ncanary-second-line\n");
    let wrong: [&[(&str, &str)]; 18] = [
        &[],
        &[("DATABASE_URL", &database)],
        &[("DATABASE_URL", &with_parameter)],
        &[("DATABASE_URL", "postgres://canary-user:canary-password@127.0.0.1:1/canary-name")],
        &[("DATABASE_URL", "postgres://user:canary-pass/word@127.0.0.1/name")],
        &[("DATABASE_URL", "postgres://user:canary-pass@word@127.0.0.1:port/name")],
        &[("DATABASE_URL", "postgres://user@127.0.0.1:1/name?sslmode=canary-mode")],
        &[("DATABASE_URL", "mysql://user:canary-password@127.0.0.1/name")],
        &[("DATABASE_URL", "canary-word")],
        &[("AUTH0_DOMAIN", "https://canary-user:canary-password@tenant.example")],
        &[("AUTH0_CLIENT_SECRET", "canary-wrong-secret")],
        &[("AUTH0_CLIENT_SECRET_FILE", &two_lines)],
        &[("SIGNUP__SECRETS__KEY", "canary-short"), ("SIGNUP__SECRETS__PREVIOUS_KEY", "canary")],
        &[
            ("SIGNUP__AUTH0__CLIENT_SECRT", "canary-misspelt"),
            ("SIGNUP__UNKNOWN_NAME", "canary-value"),
        ],
        &[("SIGNUP__AUTH0__CLIENT_SECRET", "canary\nwith a line")],
        &[("SIGNUP_CONFIG", &broken)],
        &[("SIGNUP_CONFIG", &mistyped)],
        &[("SIGNUP_CONFIG", &misplaced)],
    ];
    let commands = subcommands(&[]);
    assert!(commands.len() >= 10, "{commands:?}");
    let run = |nth: usize, wrong: &[(&str, &str)], command: &[String]| {
        let variables: Vec<_> = right.iter().chain(wrong).copied().collect();
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let more: &[&str] = match words[..] {
            ["attempts", "show"] => &[ID],
            ["attempts", "find"] => &["--email"],
            ["demo"] => &["--port", "0"],
            _ => &[],
        };
        let arguments = [words, more.to_vec()].concat();
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        let output = output_of(&arguments, &variables);
        let found = output.lines().find(|line| line.to_lowercase().contains("canary"));
        assert!(found.is_none(), "{arguments:?} with setting {nth}: {found:?}");
    };
    let wrong: Vec<_> = wrong.into_iter().enumerate().collect();
    // Those that run until they are stopped do so at the same time.
    for several in wrong.chunks(6) {
        std::thread::scope(|scope| {
            for (nth, wrong) in several {
                for command in &commands {
                    scope.spawn(|| run(*nth, wrong, command));
                }
            }
        });
    }
}

/// Counts a text in the memory of a process; `None` if reading it is not permitted.
#[cfg(target_os = "linux")]
fn occurrences_in_memory(pid: u32, text: &str) -> Option<usize> {
    const PAGE: usize = 4096;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    // What is contiguous, without the empty pages, of which the allocator reserves many.
    let (mut run, mut found) = (Vec::new(), 0);
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut chunk = vec![0; 256 * PAGE];
        for at in (from..to).step_by(chunk.len()) {
            let length = usize::try_from(to - at).unwrap().min(chunk.len());
            // Some regions, such as those of the kernel, cannot be read.
            let read = memory.read_at(&mut chunk[..length], at).unwrap_or(0);
            for page in chunk[..read].chunks(PAGE) {
                if *page == [0; PAGE][..page.len()] {
                    found += String::from_utf8_lossy(&run).matches(text).count();
                    run.clear();
                } else {
                    run.extend_from_slice(page);
                }
            }
        }
        found += String::from_utf8_lossy(&run).matches(text).count();
        run.clear();
    }
    Some(found)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_password_stays_in_memory_after_its_connection() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let process = Process::start(&auth0, &[]).await;
    let password = "Canary-Password-in-Memory-81";
    let client = Client::builder().no_proxy().build().unwrap();
    for nth in 0..9 {
        let email = format!("memory{nth}@example.com");
        let post = client.post(format!("http://{}/signup", process.address));
        // Every form of a body, with and without escapes.
        let post = match nth % 3 {
            0 => post.form(&[("email", &*email), ("password", password)]),
            1 => post.header("content-type", "application/json").body(format!(
                "{{\"email\":\"{email}\",\"password\":\"\\u0043{}\"}}",
                &password[1..]
            )),
            _ => post.json(&json!({"email": email, "password": password})),
        };
        assert_eq!(post.send().await.unwrap().status().as_u16(), 201);
    }
    if !rustix::process::geteuid().is_root() {
        println!("not checked: only root can read the memory of a process that cannot be dumped");
        return;
    }
    let found = |text| occurrences_in_memory(process.id(), text).expect("its memory");
    assert!(found(DEFAULT_CLIENT_SECRET) > 0, "what is in memory is found");
    drop(client);
    let gone = async || (found(password) == 0).then_some(());
    eventually("the password is gone", gone).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_leaves_no_core_dump() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let process = Process::start(&auth0, &[]).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<_> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}

#[tokio::test]
async fn a_captcha_token_goes_only_to_its_service() {
    let auth0 = Emulator::builder().start().await.unwrap();
    let settings = [
        // No server listens there.
        ("SIGNUP__CHALLENGE__CAPTCHA__VERIFY_URL", "http://127.0.0.1:1/siteverify"),
        ("RUST_LOG", "trace"),
    ];
    let mut process = Process::start(&auth0, &[&CAPTCHA[..], &settings].concat()).await;
    let form = ada_with("cf-turnstile-response", "canary-captcha-token");
    let response = process.post(&form).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    let response = ("response".to_owned(), response.text().await.unwrap());
    process.terminate();
    let files = files(process.folder());
    let logged = files.iter().any(|(_, text)| text.contains("the captcha service is unavailable"));
    assert!(logged, "the log exists");
    for (where_, text) in files.iter().chain([&response]) {
        let found = text.lines().find(|line| line.contains("canary"));
        assert!(found.is_none(), "{where_}: {found:?}");
    }
}

/// Every file below the folder, as text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
    assert!(!found.is_empty());
    found
}
