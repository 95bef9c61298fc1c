//! The inspection of a ledger for `doctor`: it sees what a start would find, and changes nothing.

use auth0_signup::ledger::{LedgerInspection, OpenError, SessionInspection, inspect, migrations};

use crate::backend::{Backend, admin};
use crate::pooler::{Mode, Pooler};
use crate::role::Role;
use crate::server::{connect, scalar};

on_both! {
    a_ledger_is_seen_as_it_is,
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

async fn a_ledger_without_a_table_is_damaged(backend: Backend) {
    backend.open_plain().await.close().await;
    for table in ["attempts", "attempt_keys", "used_proofs", "processes", "connections"] {
        backend.execute(&format!("ALTER TABLE {table} RENAME TO hidden")).await;
        let error = inspect(&backend.settings).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{table}: {error:?}");
        backend.execute(&format!("ALTER TABLE hidden RENAME TO {table}")).await;
        inspected(&backend).await;
    }
}

#[tokio::test]
async fn a_ledger_without_a_table_is_damaged_with_sqlite() {
    a_ledger_without_a_table_is_damaged(Backend::sqlite()).await;
}

#[tokio::test]
async fn a_ledger_without_a_table_is_damaged_with_postgres() {
    a_ledger_without_a_table_is_damaged(Backend::postgres().await).await;
}

#[tokio::test]
async fn a_ledger_without_a_function_is_damaged() {
    let backend = Backend::postgres().await;
    backend.open_plain().await.close().await;
    for function in ["start_attempt", "finish_attempt", "try_attempt", "free_keys", "ledger_now"] {
        backend.execute(&format!("ALTER FUNCTION {function} RENAME TO hidden")).await;
        let error = inspect(&backend.settings).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{function}: {error:?}");
        backend.execute(&format!("ALTER FUNCTION hidden RENAME TO {function}")).await;
        inspected(&backend).await;
    }
}

#[tokio::test]
async fn damaged_pages_are_found() {
    let backend = Backend::sqlite();
    backend.open_plain().await.close().await;
    let path = backend.url().replace("sqlite://", "");
    let mut bytes = std::fs::read(&path).unwrap();
    // The header and the schema stay.
    let pages = bytes.len() / 4096;
    bytes[(pages - 2) * 4096..].fill(0xaa);
    std::fs::write(&path, bytes).unwrap();
    let error = inspect(&backend.settings).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
}
