//! `auth0-signup doctor`, the real binary: each thing that can be wrong has an explanation of its own.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use auth0_emulator::{
    Builder, CharacterKind, ComplexityOptions, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator,
    Fault, JournalEntry, PasswordOptions, Plan, PolicyPreset, Route, Tenant,
};
use serde_json::{Value, json};

use crate::temp_dir::TempDir;

/// A secret that no output may contain.
const CANARY: &str = "canary-canary-canary-canary-canary";

const ALL_SCOPES: [&str; 5] =
    ["create:users", "read:users", "delete:users", "read:connections", "read:custom_domains"];

/// A run of the command.
struct Diagnosis {
    status: i32,
    report: Value,
    stderr: String,
}

/// A tenant and a folder to diagnose.
struct Patient {
    auth0: Emulator,
    folder: TempDir,
    variables: HashMap<String, String>,
}

impl Patient {
    async fn new() -> Self {
        Self::with(Emulator::builder()).await
    }

    async fn with(builder: Builder) -> Self {
        let auth0 = builder.start().await.unwrap();
        let variables = [
            ("AUTH0_DOMAIN", auth0.url()),
            ("AUTH0_CLIENT_ID", DEFAULT_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", DEFAULT_CLIENT_SECRET),
            ("SIGNUP__SECRETS__KEY", CANARY),
            ("SIGNUP__HTTP__PUBLIC_URL", "https://signup.example.com"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { auth0, folder: TempDir::new(), variables }
    }

    /// A tenant whose application has every scope that the command can use.
    async fn with_all_scopes() -> Self {
        let patient = Self::new().await;
        patient.auth0.tenant(|tenant| tenant.scopes = ALL_SCOPES.map(str::to_owned).to_vec());
        patient
    }

    fn set(mut self, variable: &str, value: &str) -> Self {
        self.variables.insert(variable.to_owned(), value.to_owned());
        self
    }

    fn run(&self, arguments: &[&str]) -> Diagnosis {
        let output = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
            .args(["doctor", "--json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables)
            .output()
            .unwrap();
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        for text in [&stdout, &stderr] {
            for secret in [CANARY, DEFAULT_CLIENT_SECRET, "@example.com", "eyJ"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        let report = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
        Diagnosis { status: output.status.code().unwrap(), report, stderr }
    }

    fn creates(&self) -> usize {
        self.auth0.calls(Route::CreateUser).len()
    }
}

impl Diagnosis {
    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().unwrap()
    }

    fn find(&self, id: &str) -> &Value {
        let found = self.findings().iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("{id} in {:#}", self.report))
    }

    fn message(&self, id: &str) -> String {
        self.find(id)["message"].as_str().unwrap().to_owned()
    }

    fn has(&self, id: &str) -> bool {
        self.findings().iter().any(|finding| finding["id"] == id)
    }

    /// The ids of the findings with this severity.
    fn ids(&self, severity: &str) -> Vec<&str> {
        let found = self.findings().iter().filter(|finding| finding["severity"] == severity);
        found.map(|finding| finding["id"].as_str().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_deployment_is_ok_and_creates_nothing() {
    let patient = Patient::new().await;
    let found = patient.run(&[]);
    assert_eq!((found.status, &found.report["status"]), (0, &json!("ok")), "{:#}", found.report);
    for id in [
        "settings.ok",
        "origins.ok",
        "proxies.ok",
        "timeouts.ok",
        "secret.ok",
        "database.new",
        "privileges.ok",
        "disk.ok",
        "proxy.none",
        "dns.ok",
        "tls.unused",
        "tenant.ok",
        "clock.ok",
        "token.ok",
        "scopes.ok",
        "api.ok",
        "connection.not_checked",
        "password_policy.not_checked",
        "custom_domain.not_checked",
    ] {
        found.find(id);
    }
    for finding in found.findings() {
        let members = ["docs", "id", "message", "setting", "severity"];
        let names: Vec<_> = finding.as_object().unwrap().keys().collect();
        assert_eq!(names, members);
    }
    assert_eq!((patient.creates(), patient.auth0.users().len()), (0, 0));
    assert_eq!(patient.auth0.calls(Route::Token).len(), 1);
    assert_eq!(fs::read_dir(patient.folder.path()).unwrap().count(), 0, "nothing is created");

    let text = Command::new(env!("CARGO_BIN_EXE_auth0-signup"))
        .arg("doctor")
        .current_dir(patient.folder.path())
        .env_clear()
        .envs(&patient.variables)
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ok       token           "), "{text}");
    assert!(text.ends_with("errors: 0, warnings: 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_read_are_findings_with_status_2() {
    let patient = Patient::new().await.set("PORT", "canary").set("SIGNUP__PASSWORD__POLICY", "x");
    let found = patient.run(&[]);
    assert_eq!((found.status, &found.report["status"]), (2, &json!("error")));
    let settings: Vec<_> = found.findings().iter().map(|finding| &finding["setting"]).collect();
    assert_eq!(settings, ["http.port", "password.policy"]);
    assert!(found.stderr.contains("2 errors in the settings"), "{}", found.stderr);
    assert!(patient.auth0.journal().is_empty());
}

fn oauth(status: u16, error: &str, description: &str) -> Fault {
    let body = json!({ "error": error, "error_description": description });
    Fault::answer(status).body(body.to_string())
}

fn api(status: u16, code: Option<&str>, message: &str) -> Fault {
    let mut body = json!({ "statusCode": status, "error": "x", "message": message });
    if let Some(code) = code {
        body["errorCode"] = code.into();
    }
    Fault::answer(status).body(body.to_string())
}

/// Every row of the token endpoint's errors (`docs/auth0.md`), and what cannot be reached or read.
#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_the_token_endpoint_has_its_own_explanation() {
    let patient = Patient::new().await;
    let grant =
        "Client is not authorized to access \"https://x/api/v2/\". You need a client-grant.";
    let mut messages = HashMap::new();
    for (fault, id, setting) in [
        (oauth(401, "access_denied", "Unauthorized"), "token.credentials", "auth0.client_secret"),
        (oauth(403, "access_denied", grant), "token.client_grant", "auth0.client_id"),
        (
            oauth(403, "access_denied", "Service not enabled within domain: https://x/api/v2"),
            "token.unknown_audience",
            "auth0.audience",
        ),
        (oauth(403, "access_denied", "x"), "token.audience", "auth0.audience"),
        (
            oauth(
                403,
                "unauthorized_client",
                "Grant type 'client_credentials' not allowed for the client.",
            ),
            "token.grant_type",
            "auth0.client_id",
        ),
        (oauth(400, "invalid_request", "x"), "token.undocumented", "auth0.client_id"),
        (
            oauth(429, "too_many_requests", "Client quota exceeded").header("retry-after", "3600"),
            "token.rate_limited",
            "",
        ),
        (Fault::html(404), "tenant.not_auth0", "auth0.domain"),
        (Fault::html(503), "token.failed", "auth0.domain"),
        (Fault::close(), "token.failed", "auth0.domain"),
        (
            Fault::answer(302).header("location", "https://other.example.com/x"),
            "tenant.redirects",
            "auth0.domain",
        ),
    ] {
        patient.auth0.fault(Route::Token, fault);
        let found = patient.run(&[]);
        assert_eq!(found.status, 1, "{id}");
        assert_eq!(found.ids("error"), [id], "{:#}", found.report);
        let finding = found.find(id);
        if !setting.is_empty() {
            assert_eq!(finding["setting"], setting, "{id}");
        }
        let message = finding["message"].as_str().unwrap().to_owned();
        assert_eq!(*messages.entry(message).or_insert(id), id, "one text for two causes");
        for skipped in ["scopes.skipped", "api.skipped", "connection.skipped"] {
            assert_eq!(found.find(skipped)["message"], "skipped: there is no token");
        }
        assert!(found.has("database.new"), "the other checks run");
    }
}

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

/// The responses of the emulator itself, without a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_set_up_wrongly_is_explained() {
    type Change = fn(&mut Tenant);
    let cases: [(Change, &str); 6] = [
        (|t| t.client_secret = "rotated".to_owned(), "token.credentials"),
        (|t| t.authorized = false, "token.client_grant"),
        (|t| t.grant_types.clear(), "token.grant_type"),
        (|t| t.audience = Some("https://other/api/v2/".to_owned()), "token.unknown_audience"),
        (|t| t.scopes.clear(), "scopes.create_users"),
        (|t| t.scopes = vec!["create:users ".to_owned()], "scopes.read_users"),
    ];
    for (change, id) in cases {
        let patient = Patient::new().await;
        patient.auth0.tenant(change);
        let found = patient.run(&[]);
        assert!(found.has(id), "{id} in {:#}", found.report);
        assert_eq!(patient.creates(), 0);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_down_rejects_no_token() {
    let patient = Patient::new().await;
    patient.auth0.fault(Route::GetUser, Fault::answer(503).always());
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["api.failed"]);
    let skipped = &found.find("connection.skipped")["message"];
    assert_eq!(skipped, "skipped: the Management API gave no usable response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_fails_is_not_taken_for_another_program() {
    let patient = Patient::new().await;
    for status in [429, 503] {
        patient.auth0.clear_faults();
        patient.auth0.fault(Route::Any, Fault::answer(status).always());
        let found = patient.run(&[]);
        assert!(found.message("tenant.failing").ends_with(&format!("status {status}")));
        assert!(found.has("clock.skipped") && found.status == 1, "{:#}", found.report);
    }
}

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
async fn a_host_that_is_not_the_tenants_is_named_by_its_setting() {
    let patient = Patient::new().await;
    for (route, fault) in [
        (Route::Any, Fault::html(404)),
        (Route::Any, Fault::html(200)),
        (Route::Token, Fault::html(200)),
        (Route::Token, Fault::html(401)),
        (Route::GetUser, Fault::html(403)),
    ] {
        patient.auth0.clear_faults();
        patient.auth0.fault(route, fault.always());
        let found = patient.run(&[]);
        assert_eq!(found.ids("error"), ["tenant.not_auth0"], "{route:?}: {:#}", found.report);
        assert_eq!(found.find("tenant.not_auth0")["setting"], "auth0.domain");
        assert_eq!(found.has("tenant.unrecognised"), matches!(route, Route::Any));
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
async fn scopes_that_are_missing_or_too_many_are_named() {
    for (scopes, severity, ids) in [
        (&["read:users"][..], "error", &["scopes.create_users"][..]),
        (&["create:users"], "warning", &["scopes.read_users"]),
        (&["create:users", "read:users", "update:users"], "warning", &["scopes.excessive"]),
    ] {
        let patient = Patient::new().await;
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        patient.auth0.tenant(|tenant| tenant.scopes.clone_from(&scopes));
        let found = patient.run(&[]);
        assert_eq!(found.ids(severity), ids, "{:#}", found.report);
        assert_eq!(found.status, i32::from(severity == "error"));
        assert!(found.has("api.ok"), "the token is accepted whatever its scopes");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_cannot_be_reached_skips_what_needs_it() {
    let patient = Patient::new().await.set("AUTH0_DOMAIN", "http://127.0.0.1:1");
    let found = patient.run(&["--live"]);
    assert_eq!(found.ids("error"), ["tenant.unreachable"]);
    for skipped in [
        "clock",
        "token",
        "scopes",
        "api",
        "connection",
        "attributes",
        "public_signup",
        "password_policy",
        "custom_domain",
        "live",
    ] {
        let finding = found.find(&format!("{skipped}.skipped"));
        assert_eq!(finding["severity"], "warning");
    }
    let patient = patient.set("AUTH0_DOMAIN", "tenant.invalid");
    let patient = patient.set("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2/");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["dns.unresolved"]);
    assert_eq!(found.find("dns.unresolved")["setting"], "auth0.domain");
    let patient = patient.set("HTTPS_PROXY", "http://user:canary@127.0.0.1:1");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["proxy.unreachable"]);
    assert_eq!(found.find("proxy.unreachable")["setting"], "HTTPS_PROXY");
    assert!(found.has("dns.skipped") && found.has("tls.skipped"), "{:#}", found.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_trusted_are_explained_and_their_end_is_known() {
    let patient = Patient::with(Emulator::builder().tls(true)).await;
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["tls.unknown_issuer"]);
    assert!(found.has("tenant.skipped") && found.has("token.skipped"), "{:#}", found.report);
    assert_eq!(found.find("tls.unknown_issuer")["setting"], "auth0.ca_file");

    let ca = patient.folder.path().join("ca.pem");
    fs::write(&ca, patient.auth0.ca_pem().unwrap()).unwrap();
    let patient = patient.set("SIGNUP__AUTH0__CA_FILE", "ca.pem");
    let found = patient.run(&[]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    let message = found.find("tls.ok")["message"].as_str().unwrap();
    assert!(message.ends_with("valid until 4096-01-01"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_proxy_is_not_taken_for_that_of_the_tenant() {
    // A tenant's emulator in place of the proxy: it rejects CONNECT.
    let patient = Patient::with(Emulator::builder().tls(true)).await;
    let proxy = patient.auth0.tls_url().unwrap().to_owned();
    let patient = patient.set("AUTH0_DOMAIN", "tenant.eu.auth0.com").set("HTTPS_PROXY", &proxy);
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["proxy.untrusted"], "{:#}", found.report);
    assert_eq!(found.find("proxy.untrusted")["setting"], "HTTPS_PROXY");
    let message = found.message("proxy.untrusted");
    assert!(message.contains("no trusted authority signed the certificate"), "{message}");
    for skipped in ["tls.skipped", "tenant.skipped", "token.skipped"] {
        assert!(found.has(skipped), "{:#}", found.report);
    }

    let ca = patient.folder.path().join("ca.pem");
    fs::write(&ca, patient.auth0.ca_pem().unwrap()).unwrap();
    let patient = patient.set("SIGNUP__AUTH0__CA_FILE", "ca.pem");
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["tenant.unreachable"], "{:#}", found.report);
    assert!(found.has("tls.skipped"), "{:#}", found.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_reported() {
    for (ahead, id, status) in [(0, "clock.ok", 0), (10, "clock.skewed", 0), (60, "clock.wrong", 1)]
    {
        let patient = Patient::new().await;
        patient.auth0.advance_clock(std::time::Duration::from_secs(ahead));
        let found = patient.run(&[]);
        assert!(found.has(id), "{:#}", found.report);
        assert_eq!(found.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_and_its_secret_are_inspected_and_left_alone() {
    let patient = Patient::new().await.set("SIGNUP__SECRETS__KEY", "");
    assert_eq!(patient.run(&[]).find("secret.ok")["severity"], "ok");
    assert_eq!(fs::read_dir(patient.folder.path()).unwrap().count(), 0);
    // The second command records which secret the ledger belongs to.
    for arguments in [&["migrate"][..], &["attempts", "list"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-signup"));
        command.args(arguments).current_dir(patient.folder.path()).env_clear();
        assert!(command.envs(&patient.variables).output().unwrap().status.success());
    }
    let found = patient.run(&[]);
    assert_eq!(found.status, 0, "{:#}", found.report);
    for id in ["database.ok", "migrations.ok", "secret.beside_database"] {
        found.find(id);
    }
    let key = patient.folder.path().join("data/signup.db.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let found = patient.run(&[]);
    assert_eq!(found.ids("error"), ["secret.exposed"]);
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();

    let database = patient.folder.path().join("data/signup.db");
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 2 * 4096;
    damaged[last..].fill(0xaa);
    fs::write(&database, damaged).unwrap();
    assert_eq!(patient.run(&[]).ids("error"), ["database.damaged"]);
    fs::write(&database, whole).unwrap();

    let other = patient.set("SIGNUP__SECRETS__KEY", &"x".repeat(32));
    let found = other.run(&[]);
    assert_eq!(found.ids("error"), ["database.wrong_secret"]);
    assert_eq!(found.find("database.wrong_secret")["setting"], "secrets.key");
    fs::write(other.folder.path().join("data/signup.db"), vec![0; 0]).unwrap();
    assert_eq!(other.run(&[]).ids("error"), ["database.lost"]);
}
