//! The commands that an operator answers a complaint with. Every output is searched for personal data.

use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, Route};

use crate::app::{NOBODY, ada, ada_with, with_member};
use crate::eventually::eventually;
use crate::operator::Operator;

/// Timeouts that no command reaches while a call is held, also on a busy machine.
const PATIENT: &[(&str, &str)] =
    &[("SIGNUP__AUTH0__TIMEOUT_MS", "60000"), ("SIGNUP__HTTP__REQUEST_TIMEOUT_MS", "120000")];

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_and_resolves_the_attempt_of_an_address() {
    let operator = Operator::start().await;
    let page = operator.lose("ada@example.com", Fault::answer(500).after_acting()).await;
    operator.sign_up(&ada_with("email", "grace@example.com")).await;

    // The user gives the address the way people write it.
    let found = operator.run(&["attempts", "find", "--email"], "  Ada@Example.COM \n").with(0);
    assert!(found.contains("unknown: the account may have been created"), "{found}");
    assert!(found.contains(page.json()["request_id"].as_str().unwrap()), "{found}");
    let json = operator.run(&["attempts", "find", "--email", "--json"], "ada@example.com").rows();
    let id = json[0]["id"].as_str().unwrap();
    assert_eq!((json.len(), json[0]["user_id"].is_null()), (1, true), "{json:?}");

    // Auth0 still fails, and the command says so.
    let resolved = operator.reconcile(&[id], "1000").with(3);
    assert!(resolved.contains("unknown: the user lookup failed"), "{resolved}");

    operator.auth0.clear_faults();
    assert_eq!(operator.reconcile(&[id], "1000").with(0), format!("{id} created\n"));
    let found = operator.run(&["attempts", "find", "--email"], "ada@example.com\n").with(0);
    let users = operator.auth0.users();
    let user_id = users.iter().find(|user| user["email"] == "ada@example.com").unwrap();
    assert!(found.contains("created: this attempt created the account"), "{found}");
    assert!(found.contains(user_id["user_id"].as_str().unwrap()), "{found}");

    // The user asks for deletion; other users' attempts stay.
    let removed = operator.run(&["attempts", "forget", "--email"], "ada@example.com").with(0);
    assert_eq!(removed, "removed 1 attempt\n");
    operator.run(&["attempts", "find", "--email"], "ada@example.com").with(3);
    assert_eq!(operator.run(&["attempts", "list", "--json"], "").rows().len(), 1);
    // With other attributes too: of two forms that differ only in the password, one in 256 pairs
    // pins one id, and no row distinguishes them any more.
    let form = with_member(ada_with("password", "Another-Password-1"), "given_name", "Augusta");
    let again = operator.sign_up(&form).await;
    assert_eq!(again.problem(), "email_taken", "the service still works");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invisible_character_hides_no_attempt_of_an_address() {
    let operator = Operator::start().await;
    operator.sign_up(&ada()).await;
    for stdin in ["\u{feff}ada@example.com\n", " \u{200b}Ada@Example.com\u{200b} \r\n"] {
        operator.run(&["attempts", "find", "--email"], stdin).with(0);
    }
    // Inside the address it is rejected, as in a form: no attempt can have it.
    for command in ["find", "forget"] {
        operator.run(&["attempts", command, "--email"], "ada@exam\u{200b}ple.com\n").with(1);
        operator.run(&["attempts", command, "--email"], "\u{200b}\n").with(1);
    }
    let removed = operator.run(&["attempts", "forget", "--email"], "\u{feff}ada@example.com\n");
    assert_eq!(removed.with(0), "removed 1 attempt\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_user_counts_only_after_the_grace_period() {
    let operator = Operator::start().await;
    operator.lose("ada@example.com", Fault::answer(500)).await;
    operator.auth0.clear_faults();
    let resolved = operator.reconcile(&[], "3600000").with(3);
    assert!(resolved.contains("unknown: no user was found"), "{resolved}");

    // Nor before it is known that the connection keeps pinned ids.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let resolved = operator.reconcile(&[], "1000").with(3);
    assert!(resolved.contains("once the ledger holds a user"), "{resolved}");
    operator.sign_up(&ada_with("email", "grace@example.com")).await;

    let resolved = operator.reconcile(&["--json"], "1000").rows();
    assert_eq!(
        (&resolved[0]["state"], resolved[0]["reason"].is_null()),
        (&"not_created".into(), true)
    );
    let all = operator.reconcile(&[], "1000");
    assert_eq!((all.status, all.stderr.as_str()), (0, "every attempt is resolved\n"));
    assert_eq!(operator.auth0.users().len(), 1, "reconciliation only looks up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_a_sign_up_overtakes_resolves_nothing() {
    let operator = Arc::new(Operator::start_with(PATIENT).await);
    operator.sign_up(&ada_with("email", "grace@example.com")).await;
    operator.lose("ada@example.com", Fault::answer(500)).await;
    operator.auth0.clear_faults();
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    // The operator's lookup finds no user, and its response is slow.
    let (lookup, held) = (Gate::new(), Gate::new());
    let service = operator.auth0.calls(Route::CreateUser)[0].headers["authorization"].clone();
    let nobody = Fault::answer(404).body(NOBODY).behind(&lookup);
    operator.auth0.choose_faults(move |call| {
        let operators = call.route() == Route::GetUser && call.headers["authorization"] != service;
        operators.then(|| nobody.clone())
    });
    let command = {
        let operator = Arc::clone(&operator);
        tokio::task::spawn_blocking(move || operator.reconcile(&[], "1000"))
    };
    lookup.arrived(1).await;

    // Meanwhile the user comes back, and a call is on its way again.
    operator.auth0.fault(Route::CreateUser, Fault::held(&held));
    let form = ada();
    let resolution = async {
        held.arrived(1).await;
        lookup.open();
        let resolved = command.await.unwrap().with(3);
        assert!(resolved.contains("unknown: a sign-up resumed it during the check"), "{resolved}");
        let unknown =
            operator.run(&["attempts", "list", "--state", "unknown", "--json"], "").rows();
        assert_eq!(unknown.len(), 1);
        held.open();
    };
    let (response, ()) = tokio::join!(operator.sign_up(&form), resolution);
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(
        operator.run(&["attempts", "list", "--state", "created", "--json"], "").rows().len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_reported() {
    let operator = Operator::start().await;
    operator.lose("ada@example.com", Fault::answer(500)).await;
    operator.auth0.clear_faults();
    operator.auth0.tenant(|tenant| tenant.scopes = vec!["create:users".into()]);
    operator.auth0.revoke_tokens();
    let resolved = operator.reconcile(&[], "1000").with(3);
    assert!(resolved.contains("unknown: the application lacks the scope read:users"), "{resolved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_under_way_is_left_alone() {
    let operator = Operator::start_with(PATIENT).await;
    let gate = Gate::new();
    operator.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let form = ada();
    let commands = async {
        let id = eventually("an attempt is open", async || {
            let open = operator.run(&["attempts", "list", "--state", "open", "--json"], "").rows();
            Some(open.first()?["id"].as_str().unwrap().to_owned())
        })
        .await;
        let one = operator.reconcile(&[&id], "1000").with(3);
        assert!(one.contains("open: a sign-up may be working on it for another"), "{one}");
        let all = operator.reconcile(&[], "1000");
        assert!(all.stderr.ends_with("1 attempt in progress, left alone\n"), "{}", all.stderr);
        assert_eq!(all.with(0), "");
        assert!(operator.auth0.calls(Route::GetUser).is_empty());
        gate.open();
    };
    let (response, ()) = tokio::join!(operator.sign_up(&form), commands);
    assert_eq!(response.status, 201);
    assert_eq!(
        operator.run(&["attempts", "list", "--state", "created", "--json"], "").rows().len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attempts_of_a_dead_process_are_resolved_after_their_lease() {
    let mut operator = Operator::start_with(PATIENT).await;
    // Shows that the connection keeps pinned ids.
    operator.sign_up(&ada_with("email", "before@example.org")).await;
    eventually("its attempt is resolved", async || {
        let created = operator.run(&["attempts", "list", "--state", "created", "--json"], "");
        (created.rows().len() == 1).then_some(())
    })
    .await;
    let gate = Gate::new();
    operator.auth0.fault(Route::CreateUser, Fault::hang_after_acting());
    operator.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let (first, second) = (ada(), ada_with("email", "grace@example.com"));
    tokio::select! {
        _ = operator.sign_up(&first) => panic!("its response is lost"),
        () = eventually("the user is created", async || {
            (operator.auth0.users().len() == 2).then_some(())
        }) => {}
    }
    tokio::select! {
        _ = operator.sign_up(&second) => panic!("its call is held"),
        () = gate.arrived(1) => {}
    }
    operator.crash();
    // Its heartbeat lapses.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let lease = |seconds: i64| {
        let database = rusqlite::Connection::open(operator.ledger()).unwrap();
        let sql =
            "UPDATE attempts SET next_check_at = unixepoch('subsec') * 1000 + ?1 WHERE state = 0";
        assert_eq!(database.execute(sql, [seconds * 1_000]).unwrap(), 2);
    };

    lease(600);
    let open = operator.reconcile(&[], "1000").with(3);
    assert_eq!(open.matches("open: a sign-up may be working on it").count(), 2, "{open}");

    lease(3);
    let resolved = operator.reconcile(&[], "1000");
    assert!(resolved.stderr.contains("waiting"), "{}", resolved.stderr);
    let resolved = resolved.with(0);
    assert!(resolved.contains(" created\n") && resolved.contains(" not_created\n"), "{resolved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_bounded_and_by_state() {
    let operator = Operator::start().await;
    operator.sign_up(&ada()).await;
    operator.sign_up(&ada_with("password", "Another-Password-1")).await;
    // Both are resolved after the response.
    let all = eventually("no attempt is open", async || {
        let all = operator.run(&["attempts", "list", "--json"], "").rows();
        all.iter().all(|row| row["state"] != "open").then_some(all)
    })
    .await;
    let states: Vec<_> = all.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["exists", "created"]);
    let table = operator.run(&["attempts", "list", "--limit", "1"], "");
    assert!(table.stderr.contains("there may be more"), "{}", table.stderr);
    let table = table.with(0);
    assert_eq!(table.lines().count(), 2, "a head and a row: {table}");
    assert!(table.contains("exists") && table.contains("email_taken"), "{table}");
    let created = operator.run(&["attempts", "list", "--state", "created", "--json"], "").rows();
    assert_eq!(created, all[1..]);

    let id = created[0]["id"].as_str().unwrap();
    let shown = operator.run(&["attempts", "show", id], "").with(0);
    assert!(shown.contains("created: this attempt created the account"), "{shown}");
    let request = created[0]["request_id"].as_str().unwrap();
    assert_eq!(operator.run(&["attempts", "find", "--request-id", request], "").with(0), shown);
    assert_eq!(operator.reconcile(&[id], "1000").with(0), format!("{id} created\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_that_leaves_attempts_unchecked_says_so() {
    let operator = Operator::start_with(PATIENT).await;
    let gate = Gate::new();
    operator.auth0.fault(Route::CreateUser, Fault::held(&gate));
    let form = ada();
    let check = async {
        gate.arrived(1).await;
        // The service works on all of them, so none needs a lookup.
        let database = rusqlite::Connection::open(operator.ledger()).unwrap();
        let copy = "UPDATE copy SET id = randomblob(16), key_expires_at = NULL;
                    INSERT INTO attempts SELECT * FROM copy;";
        let copies = |number| {
            let copies = copy.repeat(number);
            format!(
                "CREATE TEMP TABLE copy AS SELECT * FROM attempts LIMIT 1; {copies} DROP TABLE copy;"
            )
        };
        database.execute_batch(&copies(999)).unwrap();
        // The copies may have held its heartbeats back.
        let all = async || {
            let all = operator.reconcile(&[], "1000");
            all.stderr.contains("1000 attempts in progress").then_some(all)
        };
        eventually("the service is alive", all).await.with(0);

        database.execute_batch(&copies(1)).unwrap();
        let latest = operator.reconcile(&[], "1000");
        assert!(latest.stderr.contains("only the latest 1000 were checked"), "{}", latest.stderr);
        latest.with(3);
        gate.open();
    };
    tokio::join!(operator.sign_up(&form), check);
}

/// People may ask for everything that is recorded about them.
#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_of_an_address_is_found() {
    let operator = Operator::start().await;
    operator.sign_up(&ada()).await;
    eventually("the attempt is resolved", async || {
        let created = operator.run(&["attempts", "list", "--state", "created", "--json"], "");
        (created.rows().len() == 1).then_some(())
    })
    .await;
    let database = rusqlite::Connection::open(operator.ledger()).unwrap();
    let copy = "UPDATE copy SET id = randomblob(16), key_expires_at = NULL;
                INSERT INTO attempts SELECT * FROM copy;";
    let copies = format!("CREATE TEMP TABLE copy AS SELECT * FROM attempts; {}", copy.repeat(50));
    database.execute_batch(&copies).unwrap();
    let find = |more: &[&str]| {
        let find = ["attempts", "find", "--email", "--json"];
        operator.run(&[&find, more].concat(), "ada@example.com")
    };
    assert_eq!(find(&[]).rows().len(), 51);
    let latest = find(&["--limit", "50"]);
    assert!(latest.stderr.contains("there may be more"), "{}", latest.stderr);
    assert_eq!(latest.rows().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_no_check_can_decide_is_logged_once() {
    let operator = Operator::start().await;
    operator.auth0.tenant(|tenant| tenant.ignores_user_id = true);
    operator.sign_up(&ada_with("email", "before@example.org")).await;
    operator.auth0.fault(Route::UsersByEmail, Fault::answer(500).always());
    operator.lose("ada@example.com", Fault::answer(500)).await;
    let unknown = operator.run(&["attempts", "list", "--state", "unknown", "--json"], "").rows();
    let event = operator.event(|event| event["attempt"] == unknown[0]["id"]).await;
    assert_eq!(event["level"], "WARN");
    let message = event["message"].as_str().unwrap();
    let expected =
        "an attempt stays unknown and is not checked again: the connection does not keep";
    assert!(message.starts_with(expected), "{message}");
    eventually("no check is due", async || {
        let id = unknown[0]["id"].as_str().unwrap();
        let shown = operator.run(&["attempts", "show", id, "--json"], "").rows();
        shown[0]["next_check_at"].is_null().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_attempt_exits_with_3_and_a_usage_error_does_not() {
    let operator = Operator::start().await;
    let nobody = "01a21089-f5c1-72a8-88c0-fb2b4c813f7f";
    operator.run(&["attempts", "show", nobody], "").with(3);
    operator.run(&["attempts", "find", "--request-id", nobody], "").with(3);
    operator.run(&["attempts", "find", "--email"], "nobody@example.org").with(3);
    operator.reconcile(&[nobody], "1000").with(3);
    assert_eq!(
        operator.run(&["attempts", "forget", "--email"], "a@example.org").with(0),
        "removed 0 attempts\n"
    );
    // Not an address: neither printed nor taken for one.
    operator.run(&["attempts", "find", "--email"], "ada lovelace\n").with(1);
    operator.run(&["attempts", "forget", "--email"], "").with(1);
    for wrong in [
        ["attempts", "find"].as_slice(),
        &["attempts", "forget"],
        &["attempts", "show", "x"],
        &["attempts", "list", "--state", "lost"],
        &["attempts", "list", "--limit", "0"],
        &["attempts", "find", "--request-id", nobody, "--limit", "0"],
        &["attempts", "reconcile"],
    ] {
        operator.run(wrong, "").with(2);
    }
}
