//! A reload of the settings: everything that may change is built again around the state that is kept,
//! and swapped in whole, or nothing changes.
//!
//! `docs/decisions/0020-reload.md` has the reasons.

use std::sync::Arc;
use std::time::Duration;

use super::services::{Routings, Services};
use super::{App, StartError};
use crate::auth0::UpstreamHealth;
use crate::config::{Changes, ConfigErrors, Database, Layers, Settings};
use crate::http::server::LiveRouter;
use crate::ledger::UrlChange;
use crate::telemetry::{LogLevel, chain};

/// The settings that name the application. While they differ from those at the start, no reload applies
/// credentials: they belong to another application.
const APPLICATION: [&str; 3] = ["auth0.audience", "auth0.client_id", "auth0.domain"];

/// The setting that is taken up as long as it names the same database.
const DATABASE: &str = "database.url";

/// Applies changed settings to a running app.
#[derive(Debug)]
pub struct Reloader {
    services: Arc<Services>,
    public: LiveRouter,
    admin: LiveRouter,
    log_level: LogLevel,
    /// The layers that the app was started with.
    started_with: Layers,
    /// The layers in use.
    in_use: Layers,
    /// The layers that the credentials in use are from. Those in use may name another application.
    credentials_from: Layers,
}

/// The reason why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    /// The settings have errors.
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    /// The settings have errors beside those that only a restart changes.
    #[error(transparent)]
    NeedsRestart(ConfigErrors),
    /// A part of the app cannot be built from them.
    #[error(transparent)]
    Build(#[from] StartError),
    /// The new URL of the database cannot be used.
    #[error("the new database.url cannot be used")]
    Database(#[from] crate::ledger::LedgerError),
    /// A file of the settings does not respond.
    #[error(
        "they were not read within {} s: a pipe has no writer, or a network file system does not respond",
        .0.as_secs()
    )]
    Unread(Duration),
}

impl App {
    /// The reloader of this app, which was started with the settings of these layers.
    pub fn reloader(&self, layers: Layers, log_level: LogLevel) -> Reloader {
        Reloader {
            services: Arc::clone(&self.services),
            public: self.public.live.clone(),
            admin: self.admin.live.clone(),
            log_level,
            in_use: layers.clone(),
            credentials_from: layers.clone(),
            started_with: layers,
        }
    }
}

impl Reloader {
    /// Takes up the result of reading all settings again. If anything is wrong, changes nothing,
    /// logs the errors, and reports the service as degraded until a reload succeeds. Returns whether the
    /// same settings may succeed later.
    pub async fn reload(&mut self, read: Result<(Settings, Layers), ConfigErrors>) -> bool {
        let result = match read {
            Ok((settings, layers)) => {
                let applied = self.apply(settings, &layers).await;
                if applied.is_ok() {
                    self.in_use = layers;
                }
                applied
            }
            Err(errors) => Err(errors.into()),
        };
        self.record(result)
    }

    /// Takes up nothing, since the settings could not be read within this time. Reports it as a failed
    /// reload.
    pub fn reject_unread(&self, limit: Duration) {
        self.record(Err(ReloadError::Unread(limit)));
    }

    /// Reports the result of a reload. Returns whether the same settings may succeed later.
    fn record(&self, result: Result<(), ReloadError>) -> bool {
        let has_failed = result.is_err();
        let may_succeed_later = matches!(result, Err(ReloadError::Database(_)));
        self.services.reload.record(has_failed);
        self.services.context.metrics.settings_reloaded(has_failed);
        match result {
            Ok(()) => {}
            Err(ReloadError::Settings(errors)) => {
                for error in errors.iter() {
                    tracing::error!(setting = error.key, "the new settings have an error: {error}");
                }
                tracing::error!("the settings were not reloaded; those in use stay");
            }
            Err(ReloadError::NeedsRestart(errors)) => {
                for error in errors.iter() {
                    tracing::error!(
                        setting = error.key,
                        "the new settings have an error beside those that only change with a restart: \
                         {error}"
                    );
                }
                tracing::error!("the settings were not reloaded; restart to use them");
            }
            Err(error) => tracing::error!(
                error = chain(&error),
                "the settings were not reloaded; those in use stay: {error}"
            ),
        }
        may_succeed_later
    }

    async fn apply(&mut self, settings: Settings, layers: &Layers) -> Result<(), ReloadError> {
        let services = Arc::clone(&self.services);
        let Services { client, ledger, .. } = &*services;
        let Changes { mut live, .. } = Changes::between(&self.in_use, layers);
        let Changes { mut at_start, .. } = Changes::between(&self.started_with, layers);
        let is_same_application = !at_start.iter().any(|key| APPLICATION.contains(&key.as_str()));
        let is_credential = |key: &String| key.starts_with("auth0.");
        live.retain(|key| !is_credential(key));
        if is_same_application {
            // A reload in between may have named another application, and changed none.
            let Changes { live: changed, .. } = Changes::between(&self.credentials_from, layers);
            live.extend(changed.into_iter().filter(is_credential));
        }
        let credentials = settings.auth0.credentials;
        let log_level = settings.log.level;
        // Everything that can fail comes first, and changes nothing that is in use.
        let taken_up = layers.taken_up_after(&self.started_with);
        let taken_up = Settings::read(&taken_up, ConfigErrors::default());
        let taken_up = taken_up.map_err(ReloadError::NeedsRestart)?;
        let Routings { public, admin } = services.routings(taken_up)?;
        if let Database::Postgres(url) = &settings.ledger.database {
            let change = ledger.replace_url(url).await?;
            if change != UrlChange::OtherDatabase {
                at_start.retain(|key| key != DATABASE);
            }
            if change == UrlChange::Replaced {
                live.push(DATABASE.to_owned());
            }
        }
        if is_same_application {
            self.credentials_from = layers.clone();
        }
        self.services.abuse.apply_rates();
        self.public.replace(public);
        self.admin.replace(admin);
        self.log_level.set(&log_level);
        let changes_credentials = live.iter().any(is_credential);
        // A reload is also a request to try the same ones again.
        let is_failing = client.token_health() == UpstreamHealth::Failing;
        if is_same_application && (changes_credentials || is_failing) {
            client.replace_credentials(credentials);
        }
        tracing::info!(changed = live.join(" "), "reloaded the settings");
        if !at_start.is_empty() {
            let keys = at_start.join(" ");
            tracing::warn!(settings = keys, "these settings only change with a restart: {keys}");
        }
        Ok(())
    }
}
