//! `auth0-signup doctor` and the options of the connection and the tenant: how they fit the settings.

use auth0_emulator::{
    CharacterKind, ComplexityOptions, Fault, PasswordOptions, PolicyPreset, Route, Tenant,
};
use serde_json::{Value, json};

use crate::doctor::{Diagnosis, Patient, api};

#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_is_null_is_one_that_was_never_set() {
    let patient = Patient::with_all_scopes().await;
    let complete = json!({
        "requires_username": null, "disable_signup": null, "enabledDatabaseCustomization": null,
        "validation": null, "attributes": null, "passwordPolicy": null,
        "password_complexity_options": {"min_length": null},
        "password_dictionary": {"enable": null, "dictionary": [null]},
        "password_no_personal_info": {"enable": null},
        "password_options": null,
    });
    let nested = json!({
        "validation": {"username": {"min": null, "max": null}},
        "attributes": {"email": {"signup": null}, "username": {"signup": {"status": null}}},
        "password_options": {
            "complexity": {"character_types": null}, "dictionary": null,
            "profile_data": {"active": null, "blocked_fields": null},
        },
    });
    for options in [Value::Null, complete, nested] {
        let body = json!([{
            "name": "Username-Password-Authentication", "strategy": "auth0",
            "enabled_clients": null, "options": options,
        }]);
        patient.auth0.fault(Route::Connections, Fault::answer(200).body(body.to_string()));
        let found = patient.run(&[]);
        for id in ["connection.ok", "attributes.ok", "public_signup.open"] {
            assert!(found.has(id), "{id} in {:#}", found.report);
        }
        assert_eq!(found.status, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_cannot_be_read_is_a_finding_of_its_own_check() {
    let patient = Patient::with_all_scopes().await;
    let name = "Username-Password-Authentication";
    let other_form = json!([{"name": name, "strategy": "auth0", "options": "x"}]).to_string();
    for (fault, reason) in [
        (Fault::answer(200).body(other_form), "an unreadable response with status 200"),
        (Fault::answer(503), "a response with status 503"),
    ] {
        patient.auth0.fault(Route::Connections, fault);
        let found = patient.run(&[]);
        let message = found.message("connection.unreadable");
        assert_eq!(message, format!("{name} cannot be read: {reason}"));
        assert!(found.has("api.ok") && found.has("attributes.skipped"), "{:#}", found.report);
        assert!(!found.has("api.failed"), "{:#}", found.report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_custom_domains_that_nobody_needs_may_fail() {
    let patient = Patient::with_all_scopes().await;
    let plan = api(403, Some("operation_not_supported"), "The account is not allowed");
    for (fault, id) in
        [(plan, "custom_domain.ok"), (Fault::answer(503), "custom_domain.not_checked")]
    {
        patient.auth0.fault(Route::CustomDomains, fault);
        let found = patient.run(&[]);
        assert!(found.has(id) && found.status == 0, "{:#}", found.report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_fit_is_explained() {
    type Change = fn(&mut Tenant);
    let cases: [(Change, &str, &str, Value); 9] = [
        (|_| {}, "public_signup.open", "warning", Value::Null),
        (|t| t.public_signup = false, "public_signup.ok", "ok", Value::Null),
        (
            |t| t.connection = "other".to_owned(),
            "connection.missing",
            "error",
            json!("auth0.connection"),
        ),
        (
            |t| t.strategy = "google-oauth2".to_owned(),
            "connection.not_database",
            "error",
            json!("auth0.connection"),
        ),
        (
            |t| t.connection_enabled = false,
            "connection.disabled",
            "error",
            json!("auth0.connection"),
        ),
        (|t| t.requires_username = true, "attributes.required", "error", json!("fields.username")),
        (
            |t| t.attributes = Some(json!({"phone_number": {"signup": {"status": "required"}}})),
            "attributes.required",
            "error",
            json!("fields.phone_number"),
        ),
        (
            |t| {
                t.custom_domains = vec!["a.example.com".to_owned(), "b.example.com".to_owned()];
            },
            "custom_domain.ambiguous",
            "error",
            json!("auth0.custom_domain"),
        ),
        (
            |t| {
                t.custom_domains = vec!["a.example.com".to_owned(), "b.example.com".to_owned()];
                t.default_custom_domain = Some("b.example.com".to_owned());
            },
            "custom_domain.ok",
            "ok",
            Value::Null,
        ),
    ];
    for (change, id, severity, setting) in cases {
        let patient = Patient::with_all_scopes().await;
        patient.auth0.tenant(change);
        let found = patient.run(&[]);
        let finding = found.find(id);
        assert_eq!((&finding["severity"], &finding["setting"]), (&json!(severity), &setting));
        assert_eq!(found.status, i32::from(severity == "error"), "{:#}", found.report);
        assert_eq!(patient.creates(), 0);
    }
    let patient = Patient::with_all_scopes().await.set("SIGNUP__FIELDS__USERNAME", "optional");
    let found = patient.run(&[]);
    assert_eq!(found.find("attributes.not_accepted")["setting"], "fields.username");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drift_of_the_password_policy_is_shown_in_both_directions() {
    let policy = |found: &Diagnosis| -> Vec<String> {
        let of_policy = found
            .findings()
            .iter()
            .filter(|finding| finding["id"].as_str().unwrap().starts_with("password_policy."));
        of_policy.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    };
    let patient = Patient::with_all_scopes().await;
    assert_eq!(policy(&patient.run(&[])), ["password_policy.ok"]);

    patient.auth0.tenant(|tenant| tenant.policy = PolicyPreset::Excellent);
    let found = patient.run(&[]);
    assert_eq!(policy(&found), ["password_policy.tenant_stricter"]);
    let finding = found.find("password_policy.tenant_stricter");
    assert_eq!((finding["setting"].as_str(), found.status), (Some("password.policy"), 0));
    assert!(finding["message"].as_str().unwrap().contains("8 here, 10 at Auth0"), "{finding}");

    patient.auth0.tenant(|tenant| tenant.policy = PolicyPreset::Low);
    assert_eq!(policy(&patient.run(&[])), ["password_policy.tenant_weaker"]);

    patient.auth0.tenant(|tenant| {
        let complexity = ComplexityOptions {
            min_length: Some(15),
            character_types: vec![CharacterKind::Number],
            ..ComplexityOptions::default()
        };
        tenant.password_options =
            Some(PasswordOptions { complexity, ..PasswordOptions::default() });
    });
    let both = ["password_policy.tenant_stricter", "password_policy.tenant_weaker"];
    assert_eq!(policy(&patient.run(&[])), both);
}
