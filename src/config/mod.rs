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
pub use variables::{CONFIG_FILE, settings_files};
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

    /// Reads these variables, and those that are needed.
    pub(super) fn load_with(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
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
    fn a_secret_is_never_in_the_debug_output() {
        let key = "canary-secret".repeat(3);
        let settings = load_with(&[
            ("DATABASE_URL", "postgres://signup:canary-secret@localhost/signup"),
            ("SIGNUP__SECRETS__KEY", &key),
            ("SIGNUP__SECRETS__PREVIOUS_KEY", &key),
        ]);
        assert!(!format!("{:?}", settings.unwrap()).contains("canary-secret"));
    }
}
