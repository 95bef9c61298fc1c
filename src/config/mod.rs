//! Settings: merges the layers into one validated [`Settings`], or reports every error at once.
//!
//! Knows the vocabularies (`domain`, `form`, `limits`, `texts`, …), and nothing of HTTP, Auth0 or
//! storage. Each section has its own file. `config/default.toml` lists every key with its default
//! and the reason for it.

mod auth0;
mod auth0_compat;
mod captcha;
mod challenge;
mod colour;
mod credentials;
mod email;
mod error;
mod existence;
mod fields;
mod file;
mod fit;
mod http;
mod identifiers;
mod labels;
mod languages;
mod layers;
mod ledger;
mod limits;
mod links;
mod live;
mod log;
mod metadata;
mod names;
mod networks;
mod open_tables;
mod origins;
mod outbound;
mod page;
mod part;
mod password;
mod postgres_url;
mod protection;
mod proxies;
mod reader;
mod schema;
mod setting;
mod show;
mod signup;
mod terms;
mod traces;
mod urls;
mod variables;
mod workers;

use std::ffi::OsString;
use std::path::Path;

pub use auth0::{Auth0Settings, VerifyEmail};
pub use auth0_compat::Auth0CompatSettings;
pub use captcha::{CaptchaSettings, OnUnavailable};
pub use challenge::{AdaptiveSettings, ChallengeSettings, Required, WorkSettings};
pub use colour::Colour;
pub use credentials::{AssertionKey, ClientCredential, ClientCredentials, SecretMethod};
pub use error::{ConfigError, ConfigErrors};
pub use existence::{ExistenceSettings, ExistenceUniformSettings};
pub use http::{AdminSettings, HttpSettings};
pub use labels::{Label, Labels};
pub use layers::{DEFAULTS, Layers};
pub use ledger::{Database, LedgerSettings, Synchronous};
pub use limits::{EmailKeySettings, LimitSettings};
pub use links::PageLink;
pub use live::Changes;
pub use log::{AddressDetail, LogFormat, LogSettings};
pub use origins::{OriginSettings, parse_allowed_origin};
pub use outbound::{OutboundProxy, OutboundSettings, ProxyBypass};
pub use page::{PageField, PageSettings, Palette, ReturnAddress};
pub use part::{load_admin, load_ledger};
pub use postgres_url::{PostgresTls, PostgresUrl, SslMode, UrlError};
pub use protection::{BreakerSettings, BudgetSettings};
pub use proxies::{ForwardedHeader, ProxySettings};
pub use schema::schema;
pub use setting::{Origin, Setting};
pub use show::show;
pub use signup::{SignupSettings, SignupSwitchSettings};
pub use terms::{TermsMember, TermsTarget};
pub use traces::TraceSettings;
pub use urls::LOGIN_HINT;
pub use variables::CONFIG_FILE;
pub use workers::worker_threads;

use crate::domain::Rules;
use crate::texts::Locale;
use reader::Reader;

/// Every setting, validated.
#[derive(Debug)]
pub struct Settings {
    /// The tenant and its client.
    pub auth0: Auth0Settings,
    /// The public listener and its limits.
    pub http: HttpSettings,
    /// The listener for probes and metrics.
    pub admin: AdminSettings,
    /// The rules for forms.
    pub rules: Rules,
    /// The database of attempts.
    pub ledger: LedgerSettings,
    /// The waiting times of a sign-up.
    pub signup: SignupSettings,
    /// The built-in page, and where browsers are redirected.
    pub page: PageSettings,
    /// The proofs that a sign-up needs, and when.
    pub challenge: ChallengeSettings,
    /// Auth0's own sign-up endpoint; `None` is off.
    pub auth0_compat: Option<Auth0CompatSettings>,
    /// The existence mode: responses reveal or hide that an e-mail address has an account.
    pub existence: ExistenceSettings,
    /// The language for requests that ask for no supported one.
    pub language: Locale,
    /// The switch that opens or closes sign-ups.
    pub signup_switch: SignupSwitchSettings,
    /// The limits on posts and attempts.
    pub limits: LimitSettings,
    /// The member of the create call that says which terms were accepted.
    pub terms: TermsMember,
    /// The level and the format of the log.
    pub log: LogSettings,
    /// The collector of traces.
    pub traces: TraceSettings,
}

/// Reads the settings from the defaults, the file and the environment.
///
/// # Errors
/// All errors, each with its key, the origin of its value and what is expected.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, ConfigErrors> {
    load_with_layers(file, environment).map(|(settings, _)| settings)
}

/// Reads the settings, and returns the layers too, which a later reading is compared with.
///
/// # Errors
/// Those of [`load`].
pub fn load_with_layers(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Settings, Layers), ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let layers = Layers::read(file, environment, &mut errors);
    Settings::read(&layers, errors).map(|settings| (settings, layers))
}

impl Settings {
    /// Reads every section, starting with the errors found so far.
    ///
    /// # Errors
    /// All errors.
    pub fn read(layers: &Layers, errors: ConfigErrors) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(layers, errors);
        let settings = Self::read_with(&mut reader);
        reader.finish(settings)
    }

    /// Reads every key. Returns `None` if a section is too incomplete to build.
    fn read_with(reader: &mut Reader<'_>) -> Option<Self> {
        let auth0 = auth0::read(reader);
        let http = http::read(reader);
        let admin = http::read_admin(reader);
        http::check_listeners(reader, &http, &admin);
        let rules = fields::read(reader);
        let ledger = ledger::read(reader);
        let signup = signup::read(reader);
        let signup_switch = signup::read_switch(reader);
        let limits = limits::read(reader);
        let page = page::read(reader, rules.as_ref());
        let challenge = challenge::read(reader);
        let auth0_compat = auth0_compat::read(reader, &challenge);
        let existence = existence::read(reader);
        let language = languages::read(reader);
        let terms = terms::read_member(reader, rules.as_ref());
        let log = log::read(reader);
        let traces = traces::read(reader);
        workers::check(reader);
        Some(Self {
            auth0,
            http,
            admin,
            rules: rules?,
            ledger: ledger?,
            signup,
            page,
            challenge,
            auth0_compat,
            existence: existence?,
            language,
            signup_switch,
            limits,
            terms,
            log,
            traces,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let needed = [
            ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
            ("AUTH0_CLIENT_ID", "id"),
            ("AUTH0_CLIENT_SECRET", "canary-secret"),
        ];
        let given = needed.iter().filter(|(name, _)| !variables.iter().any(|(n, _)| n == name));
        let all = given.chain(variables).map(|(name, value)| (name.into(), value.into()));
        load(None, all.collect::<Vec<_>>())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn three_variables_are_enough() {
        let settings = load_with(&[]).unwrap();
        assert_eq!(settings.auth0.base.as_str(), "https://tenant.eu.auth0.com");
        assert_eq!(settings.auth0.audience, "https://tenant.eu.auth0.com/api/v2/");
    }

    #[test]
    fn all_errors_are_reported_at_once_without_secrets() {
        let errors = load_with(&[
            ("AUTH0_DOMAIN", "http://tenant.eu.auth0.com/x"),
            ("AUTH0_CLIENT_ID", ""),
            ("PORT", "hunter2"),
            ("SIGNUP__AUTH0__CLIENT_SECERT", "canary-secret"),
            ("SIGNUP__PASSWORD__POLICY", "strong"),
            ("SIGNUP__FIELDS__NICKNAME", "maybe"),
        ])
        .unwrap_err();
        let text = errors.join("\n");
        for key in [
            "auth0.domain",
            "auth0.client_id",
            "http.port",
            "auth0.client_secert",
            "password.policy",
            "fields.nickname",
        ] {
            assert!(text.contains(key), "{key} in {text}");
        }
        assert!(!text.contains("canary-secret") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_custom_domain_needs_an_audience() {
        let custom = ("AUTH0_DOMAIN", "login.example.com");
        let errors = load_with(&[custom]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].starts_with("auth0.audience"), "{errors:?}");
        let audience = ("AUTH0_AUDIENCE", "https://tenant.eu.auth0.com/api/v2/");
        assert_eq!(load_with(&[custom, audience]).unwrap().auth0.audience, audience.1);
    }

    #[test]
    fn lookalikes_of_auth0_are_custom_domains() {
        for domain in ["evilauth0.com", "auth0.com.example.org"] {
            assert!(load_with(&[("AUTH0_DOMAIN", domain)]).is_err(), "{domain}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert!(load_with(&[("AUTH0_DOMAIN", "http://tenant.eu.auth0.com")]).is_err());
        for domain in ["http://127.0.0.1:4010", "http://localhost:4010/", "http://[::1]:1"] {
            assert!(load_with(&[("AUTH0_DOMAIN", domain)]).is_ok(), "{domain}");
        }
    }

    #[test]
    fn a_secret_is_never_in_the_debug_output() {
        let key = "canary-secret".repeat(3);
        let settings = load_with(&[
            ("DATABASE_URL", "postgres://signup:canary-secret@localhost/signup"),
            ("SIGNUP__SECRETS__KEY", &key),
            ("SIGNUP__SECRETS__PREVIOUS_KEY", &key),
        ]);
        assert!(!format!("{:?}", settings.unwrap()).contains("canary-secret"));
    }

    #[test]
    fn a_database_is_a_file_or_a_server() {
        let settings = load_with(&[]).unwrap();
        let Database::Sqlite(path) = settings.ledger.database else { panic!("{settings:?}") };
        assert_eq!(path, Path::new("data/signup.db"));
        for url in ["mysql://x", "sqlite://", "sqlite::memory:", "sqlite://a?mode=rwc", "postgres:"]
        {
            let errors = load_with(&[("DATABASE_URL", url)]).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("database.url"), "{errors:?}");
        }
    }

    #[test]
    fn a_server_needs_a_secret_that_is_long_enough() {
        let server = ("DATABASE_URL", "postgres://localhost/signup");
        for variables in [vec![server], vec![server, ("SIGNUP__SECRETS__KEY", "canary-secret")]] {
            let errors = load_with(&variables).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("secrets.key"), "{errors:?}");
            assert!(!errors[0].contains("canary"), "{errors:?}");
        }
    }

    #[test]
    fn only_an_address_after_a_sign_up_takes_a_login_hint() {
        let url = "https://app.example.com/login?login_hint={login_hint}";
        let settings =
            load_with(&[("SIGNUP__PAGE__SUCCESS_URL", url), ("SIGNUP__PAGE__RETURN_TO", url)]);
        assert!(settings.is_ok(), "{settings:?}");
        let errors = load_with(&[
            ("SIGNUP__PAGE__LOGIN_URL", url),
            ("SIGNUP__PAGE__RESET_URL", url),
            ("SIGNUP__PAGE__PRIVACY_URL", url),
            ("SIGNUP__PAGE__LINKS__IMPRINT__LABEL", "Imprint"),
            ("SIGNUP__PAGE__LINKS__IMPRINT__URL", url),
        ])
        .unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors.iter().all(|error| error.contains("{login_hint}")), "{errors:?}");
    }

    #[test]
    fn every_error_of_a_captcha_is_reported() {
        let with = |pairs: &[(&str, &str)]| {
            let named = pairs.iter().map(|(key, value)| {
                (format!("SIGNUP__CHALLENGE__{}", key.replace('.', "__").to_uppercase()), *value)
            });
            let named: Vec<_> = named.collect();
            let pairs: Vec<_> = named.iter().map(|(name, value)| (&**name, *value)).collect();
            load_with(&pairs).map(|settings| settings.challenge)
        };
        let (id, secret) = (("captcha.site_key", "site"), ("captcha.secret", "canary-secret"));
        let hosts = ("captcha.hostnames", "www.example.com");
        let of = |name| ("captcha.provider", name);
        let challenge = with(&[of("turnstile"), id, secret, hosts]).unwrap();
        assert_eq!(challenge.captcha.unwrap().provider.name, "turnstile");
        assert!(with(&[]).unwrap().captcha.is_none());

        let (action, score) = (("captcha.action", "signup"), ("captcha.min_score_percent", "50"));
        let v3 = [of("recaptcha_v3"), id, secret, hosts, action, score];
        assert!(with(&v3).is_ok());
        for (pairs, keys) in [
            (vec![of("turnstile")], vec!["site_key", "secret", "hostnames"]),
            (vec![of("none"), id, secret, hosts], vec!["provider"]),
            (vec![id, secret], vec!["site_key", "secret"]),
            (v3[..4].to_vec(), vec!["min_score_percent", "action"]),
            (vec![of("hcaptcha"), id, secret, hosts, action, score], vec!["min_score", "action"]),
            (
                vec![
                    of("hcaptcha"),
                    id,
                    secret,
                    ("captcha.hostnames", "https://www.example.com"),
                    ("captcha.verify_url", "http://captcha.example"),
                ],
                vec!["hostnames", "verify_url"],
            ),
        ] {
            let errors = with(&pairs).unwrap_err();
            assert_eq!(errors.len(), keys.len(), "{errors:?}");
            for key in keys {
                let key = format!("challenge.captcha.{key}");
                assert!(errors.iter().any(|error| error.starts_with(&key)), "{key}: {errors:?}");
            }
            assert!(!errors.join("").contains("canary"), "{errors:?}");
        }
        // The service's own pages show the widget.
        let variables = [
            ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SITE_KEY", "site"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SECRET", "canary-secret"),
            ("SIGNUP__CHALLENGE__CAPTCHA__HOSTNAMES", "www.example.com"),
            ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
            ("SIGNUP__HTTP__PUBLIC_URL", "https://signup.example.com"),
        ];
        let errors = load_with(&variables).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains("signup.example.com too"), "{errors:?}");
        let off = ("SIGNUP__PAGE__ENABLED", "false");
        assert!(load_with(&[variables.as_slice(), &[off]].concat()).is_err());
        for (action, good) in [("sign_up-1", true), ("sign up", false), (&*"a".repeat(33), false)] {
            let loaded = with(&[of("turnstile"), id, secret, hosts, ("captcha.action", action)]);
            assert_eq!(loaded.is_ok(), good, "{action}");
        }
        let errors = with(&[("form_token_required", "true"), ("min_fill_ms", "0")]).unwrap_err();
        let key = "challenge.form_token_required";
        assert!(errors.len() == 1 && errors[0].starts_with(key), "{errors:?}");
        for name in ["email", "altcha", "Subject", "user_metadata.x", "x y"] {
            let errors = with(&[("honeypot", name)]).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("challenge.honeypot"), "{errors:?}");
        }
    }
}
