//! `auth0-signup doctor --live`, which creates a user and deletes it again.

use std::collections::HashMap;

use auth0_emulator::{Fault, JournalEntry, Plan, Route};
use serde_json::{Value, json};

use crate::doctor::{ALL_SCOPES, Patient, api};

/// Every row of create-user's errors (`docs/auth0.md`).
#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_a_create_call_has_its_own_explanation() {
    let patient = Patient::with_all_scopes().await;
    let schema = "Payload validation error:";
    let mut messages = HashMap::new();
    for (fault, id, setting) in [
        (
            api(400, Some("invalid_body"), &format!("{schema} 'x' on property name (y).")),
            "live.invalid_body",
            None,
        ),
        (
            api(400, None, "PasswordStrengthError: Password is too weak"),
            "live.password_too_weak",
            None,
        ),
        (
            api(400, None, "PasswordDictionaryError: Password is too common"),
            "live.password_too_common",
            None,
        ),
        (
            api(400, None, "PasswordNoUserInfoError: Password contains user information"),
            "live.password_user_info",
            None,
        ),
        (api(400, None, "PasswordBreachedError: Password is …"), "live.password_breached", None),
        (api(400, None, "PasswordHistoryError: Password has …"), "live.password_used", None),
        (
            api(
                400,
                Some("invalid_body"),
                &format!("{schema} 'Missing required property: username'."),
            ),
            "attributes.required",
            Some("fields.username"),
        ),
        (
            api(400, None, "Cannot set username for connection without requires_username."),
            "attributes.not_accepted",
            Some("fields.username"),
        ),
        (
            api(400, None, "The username provided is in use already."),
            "live.username_taken",
            Some("auth0.connection"),
        ),
        (
            api(400, Some("inexistent_connection"), "The connection does not exist."),
            "connection.unusable",
            Some("auth0.connection"),
        ),
        (
            api(404, Some("inexistent_connection"), "The connection does not exist"),
            "connection.unusable",
            Some("auth0.connection"),
        ),
        (api(400, None, "The connection is disabled."), "connection.unusable", None),
        (api(400, None, "Sandbox error."), "live.script_rejected", None),
        (
            api(403, Some("auth0_idp_error"), "Sandbox Error: connect ECONNREFUSED 127.0.0.1:8080"),
            "live.script_rejected",
            None,
        ),
        (
            api(
                400,
                Some("auth0_idp_error"),
                "Connection must be enabled for this client to perform single user creation and \
                 signup operations (client_id: x - connection: y)",
            ),
            "connection.unusable",
            None,
        ),
        (
            api(400, None, "Connection does not support user creation through the API."),
            "connection.unusable",
            None,
        ),
        (
            api(400, Some("Bearer"), "Bad HTTP authentication header format"),
            "api.token_rejected",
            Some("auth0.domain"),
        ),
        (
            api(400, None, "The custom domain does not exist."),
            "custom_domain.unknown",
            Some("auth0.custom_domain"),
        ),
        (
            api(400, None, "Custom domain not found."),
            "custom_domain.unknown",
            Some("auth0.custom_domain"),
        ),
        (api(401, None, "Invalid token"), "api.token_rejected", Some("auth0.domain")),
        (
            api(403, Some("insufficient_scope"), "Insufficient scope, expected any of: x"),
            "scopes.create_users",
            Some("auth0.client_id"),
        ),
        (api(403, Some("feature_not_enabled"), "x"), "api.plan", None),
        (
            api(409, Some("auth0_idp_error"), "The user already exists."),
            "live.user_exists",
            Some("auth0.connection"),
        ),
        (
            api(
                409,
                Some("custom_domain_conflict"),
                "The tenant has multiple verified custom domains.",
            ),
            "custom_domain.ambiguous",
            Some("auth0.custom_domain"),
        ),
        (api(418, None, "x"), "api.undocumented", None),
        (Fault::html(404), "tenant.not_auth0", Some("auth0.domain")),
    ] {
        patient.auth0.clear_journal();
        patient.auth0.fault(Route::CreateUser, fault);
        let found = patient.run(&["--live"]);
        assert_eq!(found.status, 1, "{id}");
        assert_eq!(found.ids("error"), [id], "{:#}", found.report);
        let finding = found.find(id);
        if let Some(setting) = setting {
            assert_eq!(finding["setting"], setting, "{id}");
        }
        let message = finding["message"].as_str().unwrap().to_owned();
        assert_eq!(*messages.entry(message).or_insert(id), id, "one text for two causes");
        assert_eq!(patient.creates(), 1, "nothing is repeated");
        assert!(patient.auth0.users().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_creates_repeats_looks_up_and_deletes_one_unverified_user() {
    let patient = Patient::with_all_scopes().await;
    let found = patient.run(&["--live"]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    assert_eq!(found.find("live.ok")["severity"], "ok");
    let creates = patient.auth0.calls(Route::CreateUser);
    assert_eq!(creates.len(), 2);
    assert_eq!(creates[0].json(), creates[1].json());
    let body = creates[0].json();
    assert_eq!((&body["verify_email"], &body["email_verified"]), (&json!(false), &Value::Null));
    let id = body["user_id"].as_str().unwrap();
    assert!(id.len() == 24 && found.stderr.contains(&format!("auth0|{id}")), "{}", found.stderr);
    assert!(found.stderr.contains(body["name"].as_str().unwrap()), "{}", found.stderr);
    for (route, count) in [(Route::GetUser, 2), (Route::UsersByEmail, 1), (Route::DeleteUser, 1)] {
        assert_eq!(patient.auth0.calls(route).len(), count, "{route:?}");
    }
    assert!(patient.auth0.users().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_fits_into_the_smallest_plan_and_gives_up_in_time() {
    let patient = Patient::with_all_scopes().await;
    patient.auth0.tenant(|tenant| tenant.plan = Plan::Free);
    let found = patient.run(&["--live"]);
    assert!(found.has("live.ok"), "{:#}", found.report);
    assert!(patient.auth0.users().is_empty());
    let is_rejected = |call: &JournalEntry| call.status == Some(429);
    assert!(patient.auth0.journal().iter().any(is_rejected), "the limit was met");

    patient.auth0.tenant(|tenant| tenant.plan = Plan::Unlimited);
    patient.auth0.clear_journal();
    let limited = api(429, Some("too_many_requests"), "Global limit has been reached");
    patient.auth0.fault(Route::CreateUser, limited.always());
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.rate_limited"]);
    assert_eq!(patient.creates(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_needs_the_right_to_delete() {
    let patient = Patient::new().await;
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.no_delete"]);
    assert_eq!((found.status, patient.creates()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_that_fails_half_way_names_what_is_left() {
    let patient = Patient::with_all_scopes().await;
    patient.auth0.fault(Route::DeleteUser, Fault::answer(500));
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.left_behind"]);
    let left = patient.auth0.users()[0]["user_id"].as_str().unwrap().to_owned();
    let message = found.find("live.left_behind")["message"].as_str().unwrap();
    assert!(message.contains(&left), "{message}");

    // The response is lost after the tenant has acted.
    patient.auth0.reset();
    patient.auth0.tenant(|tenant| tenant.scopes = ALL_SCOPES.map(str::to_owned).to_vec());
    patient.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.tenant_fails", "live.maybe_left_behind"]);
    assert!(patient.auth0.users().is_empty(), "it was found and deleted");
    assert!(found.message("live.maybe_left_behind").contains("(it was deleted, and"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_reports_no_deletion_that_is_not_certain() {
    let patient = Patient::with_all_scopes().await;
    patient.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    patient.auth0.fault(Route::DeleteUser, Fault::answer(500));
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.tenant_fails", "live.left_behind"]);
    assert_eq!(patient.auth0.users().len(), 1);

    patient.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    patient.auth0.fault(Route::UsersByEmail, Fault::answer(500));
    let message = patient.run(&["--live"]).message("live.maybe_left_behind");
    assert!(message.contains("(its deletion was accepted, and the call"), "{message}");
    assert_eq!(patient.auth0.users().len(), 1);

    let patient = patient.set("SIGNUP__AUTH0__PIN_USER_ID", "false");
    patient.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    patient.auth0.fault(Route::UsersByEmail, Fault::answer(500));
    let message = patient.run(&["--live"]).message("live.maybe_left_behind");
    assert!(message.contains("(it could not be looked up, and the call"), "{message}");
    assert_eq!(patient.auth0.users().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_shows_that_ids_are_not_kept() {
    let patient = Patient::with_all_scopes().await;
    patient.auth0.tenant(|tenant| tenant.ignores_user_id = true);
    let found = patient.run(&["--live"]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    assert_eq!(found.find("live.ids_ignored")["setting"], "auth0.pin_user_id");
    assert!(found.has("connection.custom_database") && found.has("live.deleted"));
    assert!(patient.auth0.users().is_empty());

    patient.auth0.tenant(|tenant| tenant.unique_email = false);
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["live.created_twice"]);
    assert!(patient.auth0.users().is_empty(), "both are deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_test_without_pinned_ids_names_none() {
    let patient = Patient::with_all_scopes().await.set("SIGNUP__AUTH0__PIN_USER_ID", "false");
    patient.auth0.fault(Route::CreateUser, Fault::close_after_acting());
    let found = patient.run(&["--live"]);
    let message = found.find("live.maybe_left_behind")["message"].as_str().unwrap();
    for text in [message, &found.stderr] {
        assert!(text.contains("auth0-signup-doctor-") && !text.contains("auth0|"), "{text}");
    }
}
