//! The inspection of a ledger for `doctor`: it sees what a start would find, and changes nothing.

use auth0_signup::ledger::{LedgerInspection, OpenError, SessionInspection, inspect, migrations};

use crate::backend::{Backend, admin};
use crate::pooler::{Mode, Pooler};
use crate::role::Role;
use crate::server::{connect, scalar};

on_both! {
    a_ledger_is_seen_as_it_is,
    a_ledger_without_a_table_is_damaged,
}

async fn inspected(backend: &Backend) -> LedgerInspection {
    inspect(&backend.settings).await.expect("a ledger")
}

async fn a_ledger_is_seen_as_it_is(mut backend: Backend) {
    let new = inspected(&backend).await;
    let all = migrations(&backend.settings).await.expect("migrations").len();
    assert_eq!((new.is_new, new.pending + new.pending_indexes, new.may_create), (true, all, true));
    assert_eq!(new.unwritable, [""; 0]);
    if backend.is_sqlite() {
        assert!(!std::fs::exists(backend.folder()).unwrap(), "nothing is created");
    }
    let ledger = backend.open_plain().await;
    let opened = inspected(&backend).await;
    assert_eq!((opened.is_new, opened.pending, opened.pending_indexes), (false, 0, 0));
    let before = backend.count("secret_checks").await;
    backend.set_secrets("x", None);
    let error = inspect(&backend.settings).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongSecret), "{error}");
    backend.set_secrets("x", Some("k"));
    inspected(&backend).await;
    assert_eq!(backend.count("secret_checks").await, before, "no secret is recorded");
    ledger.close().await;
}

#[tokio::test]
async fn a_database_of_another_program_is_recognised() {
    let backend = Backend::sqlite();
    backend.execute("CREATE TABLE notes (text TEXT)").await;
    let error = inspect(&backend.settings).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn missing_rights_on_tables_and_on_the_schema_are_seen() {
    let backend = Backend::postgres().await;
    let role = Role::create(&backend).await;
    assert!(inspected(&role.of(&backend)).await.may_create);
    backend.open_plain().await.close().await;
    let revoke = format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}", role.name);
    backend.execute(&revoke).await;
    role.grant(&backend).await;
    backend.execute(&format!("REVOKE UPDATE ON attempts FROM {}", role.name)).await;
    let found = inspected(&role.of(&backend)).await;
    assert_eq!((found.may_create, found.unwritable), (false, vec!["attempts".to_owned()]));

    let revoke = format!("REVOKE UPDATE ON ALL TABLES IN SCHEMA public FROM {}", role.name);
    backend.execute(&revoke).await;
    let found = inspected(&role.of(&backend)).await.unwritable.join(" ");
    let tables = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class \
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
        AND relname <> 'auth0_signup_migrations'";
    assert_eq!(found, scalar::<String>(&connect(&backend.url()).await, tables).await);
}

#[tokio::test]
async fn what_stops_a_sign_up_beside_the_rights_on_tables_is_seen() {
    let backend = Backend::postgres().await;
    backend.open_plain().await.close().await;
    let role = Role::create(&backend).await;
    role.grant(&backend).await;
    let serve = role.of(&backend);
    inspected(&serve).await;

    for function in ["start_attempt", "spend_permit"] {
        backend.execute(&format!("REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")).await;
        assert_eq!(inspected(&serve).await.unwritable, [function]);
        backend.execute(&format!("GRANT EXECUTE ON FUNCTION {function} TO {}", role.name)).await;
        inspected(&serve).await;
    }

    backend.execute("ALTER TABLE attempts ENABLE ROW LEVEL SECURITY").await;
    let error = inspect(&serve.settings).await.unwrap_err();
    let cause = format!("{:?}", std::error::Error::source(&error).unwrap());
    assert!(cause.contains("row-level security policy"), "{cause}");
    backend.execute("ALTER TABLE attempts DISABLE ROW LEVEL SECURITY").await;
    inspected(&serve).await;
    for table in ["attempts", "processes", "used_proofs"] {
        assert_eq!(backend.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_pooler_and_the_defaults_of_a_database_are_seen() {
    let backend = Backend::postgres().await;
    backend.open_plain().await.close().await;
    let own = SessionInspection {
        is_pooled: false,
        is_read_only: false,
        isolation: "read committed".to_owned(),
    };
    assert_eq!(inspected(&backend).await.session, Some(own));

    let name = backend.database();
    let set = async |change: &str| admin(&format!("ALTER DATABASE {name} {change}")).await;
    set("SET default_transaction_isolation = 'serializable'").await;
    set("SET default_transaction_read_only = on").await;
    assert!(inspected(&backend).await.session.unwrap().is_read_only);
    set("RESET default_transaction_read_only").await;

    let pooler = Pooler::start(Mode::Transaction);
    let pooled = backend.through(&pooler.url(&name));
    let session = inspected(&pooled).await.session.unwrap();
    assert!(session.is_pooled && !session.is_read_only, "{session:?}");
    assert_eq!(session.isolation, "serializable");
}

/// Each has another name for a moment.
async fn is_damaged_without(backend: &Backend, kind: &str, names: &[&str]) {
    backend.open_plain().await.close().await;
    for name in names {
        backend.execute(&format!("ALTER {kind} {name} RENAME TO hidden")).await;
        let error = inspect(&backend.settings).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{name}: {error:?}");
        backend.execute(&format!("ALTER {kind} hidden RENAME TO {name}")).await;
        inspected(backend).await;
    }
}

async fn a_ledger_without_a_table_is_damaged(backend: Backend) {
    let tables = ["attempts", "attempt_keys", "used_proofs", "processes", "connections"];
    is_damaged_without(&backend, "TABLE", &tables).await;
}

#[tokio::test]
async fn a_ledger_without_a_function_is_damaged() {
    let functions = ["start_attempt", "finish_attempt", "try_attempt", "free_keys", "ledger_now"];
    is_damaged_without(&Backend::postgres().await, "FUNCTION", &functions).await;
}

#[tokio::test]
async fn damaged_pages_are_found() {
    let backend = Backend::sqlite();
    backend.open_plain().await.close().await;
    let mut bytes = std::fs::read(backend.path()).unwrap();
    // The header and the schema stay.
    let last = bytes.len() - 2 * 4096;
    bytes[last..].fill(0xaa);
    std::fs::write(backend.path(), bytes).unwrap();
    let error = inspect(&backend.settings).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
}
