//! The services that live as long as the process, and the routes that the settings make of them.

use std::sync::Arc;

use super::StartError;
use crate::abuse::{
    AbuseState, AddressLog, Challenges, ExistencePolicy, Limits, Proxies, SignupSwitch,
};
use crate::auth0::Client;
use crate::config::{Auth0CompatSettings, Database, OriginSettings, Settings};
use crate::context::Context;
use crate::http::server::Routing;
use crate::http::{self, Auth0Compat, Origins, RouterState, SignupPipeline};
use crate::ledger::Ledger;
use crate::page::Page;
use crate::readiness::{Readiness, ReloadStatus};
use crate::signup::Signups;
use crate::telemetry::Traces;

/// The services that a reload of the settings keeps, with their state.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) context: Context,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) client: Arc<Client>,
    pub(super) signups: Signups,
    pub(super) abuse: AbuseState,
    pub(super) reload: ReloadStatus,
    /// The exporter is started once.
    pub(super) traces: Traces,
}

/// The routings of both listeners.
#[derive(Debug)]
pub(super) struct Routings {
    pub(super) public: Routing,
    pub(super) admin: Routing,
}

impl Services {
    /// Builds every route and stage from the settings, around the state that is kept.
    pub(super) fn routings(&self, settings: Settings) -> Result<Routings, StartError> {
        let Settings {
            auth0,
            http,
            admin: _,
            mut rules,
            ledger,
            signup: _,
            mut page,
            challenge,
            existence,
            language,
            signup_switch,
            limits,
            auth0_compat,
            terms: _,
            log,
            traces: _,
        } = settings;
        let Self { context, ledger: _, client, signups, abuse, reload, traces } = self;
        let OriginSettings { allowed, own, required, allowed_headers } = http.origins;
        let is_shared = matches!(ledger.database, Database::Postgres(_));
        let metrics = &context.metrics;
        if let Some(honeypot) = &challenge.honeypot {
            rules.ignored.insert(honeypot);
        }
        let challenges = Arc::new(Challenges::new(challenge, &limits, abuse, context)?);
        let proxies = Arc::new(Proxies::new(&http.proxies, metrics.http().clone()));
        let readiness = Readiness::new(
            context.clone(),
            Arc::clone(client),
            signups.clone(),
            Arc::clone(&proxies),
            reload.clone(),
        );
        let info = challenges.info(&page.base_path);
        // After a sign-up, a site usually sends people on to the tenant to log in.
        let custom_domain = auth0.custom_domain.iter().map(|domain| format!("https://{domain}"));
        page.redirect_origins.extend(custom_domain.chain([auth0.base.clone()]));
        let existence = ExistencePolicy::new(&existence);
        let is_uniform = existence.is_uniform();
        let page = Arc::new(Page::new(page, &rules, challenges.settings(), &info, is_uniform));
        let policy = http::SignupPolicy::new(&rules, &challenges, &existence, &page);
        let state = RouterState {
            pipeline: Arc::new(SignupPipeline {
                switch: SignupSwitch::new(signup_switch),
                origins: Origins::new(allowed, own, required),
                rules,
                challenges,
                limits: Arc::new(Limits::new(limits, is_shared, abuse, context)),
                existence,
                signups: signups.clone(),
                metrics: Arc::clone(metrics),
                body_timeout: http.body_timeout,
                request_timeout: http.request_timeout,
            }),
            context: context.clone(),
            readiness,
            page,
            policy: Arc::new(policy),
            auth0_compat: auth0_compat.map(|settings| Arc::new(auth0_compat_of(settings))),
            language,
            proxies: Arc::clone(&proxies),
            allowed_headers,
            traces: traces.clone(),
            address_log: Arc::new(AddressLog::new(log.client_address, &context.digests)),
        };
        let router = http::public(&state);
        let router = http::below(&state.page.settings().base_path, router);
        let admin = Routing { router: http::admin(&state), proxies: Arc::clone(&proxies) };
        Ok(Routings { public: Routing { router, proxies }, admin })
    }
}

fn auth0_compat_of(settings: Auth0CompatSettings) -> Auth0Compat {
    let Auth0CompatSettings { client_ids, connection, without_challenge } = settings;
    Auth0Compat { client_ids: client_ids.into_iter().collect(), connection, without_challenge }
}
