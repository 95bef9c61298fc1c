//! The Prometheus metrics. The registry is a value: each app has its own.

use std::fmt::{self, Write as _};
use std::time::Duration;

use prometheus_client::encoding::{
    EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, prometheus_text, text,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::challenges::ChallengeMetrics;
use super::clock_skew::ClockSkew;
use super::http_metrics::HttpMetrics;
use super::ledger_metrics::LedgerMetrics;
use super::limiter::{LimiterFamilies, LimiterMetrics};
use super::registration::{CounterFamily, registered, registered_seconds};
use super::writer::DROPPED;

/// Histogram bounds for calls to the tenant and for whole sign-ups, in seconds: fine around the
/// recorded median of 0.3 s, and up to the timeouts. 5 s is the bound of an alert: the floor of
/// `existence = "uniform"` is 4 s, and must not count as more.
const SECONDS: [f64; 12] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 5.0, 8.0, 15.0];

/// The results of the rules on e-mail addresses.
const EMAIL_RULES: [&str; 3] = ["allowed", "domain_not_allowed", "not_allowed"];

/// All metrics of one app.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    started: Gauge,
    signups: CounterFamily,
    signup_seconds: Histogram,
    auth0: Family<Auth0Labels, Counter>,
    auth0_seconds: Family<Auth0OperationLabels, Histogram>,
    token_expires: Gauge,
    budget: BudgetMetrics,
    breaker_open: Gauge,
    challenges: ChallengeMetrics,
    clock_skew: ClockSkew,
    http: HttpMetrics,
    limiters: LimiterFamilies,
    ledger: LedgerMetrics,
    closed_rejected: Counter,
    email_rules: CounterFamily,
    floor_exceeded: Counter,
    reloads: CounterFamily,
    last_reload_failed: Gauge,
}

/// The tenant's rate limit and the calls that wait for it.
#[derive(Debug)]
struct BudgetMetrics {
    limit: Gauge,
    remaining: Gauge,
    waiting: Gauge,
    exhausted: Counter,
}

/// A call to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /api/v2/users`
    CreateUser,
    /// `GET /api/v2/users/{id}`
    GetUser,
    /// `GET /api/v2/users-by-email`
    UsersByEmail,
    /// `POST /dbconnections/change_password`
    ChangePassword,
    /// `POST /oauth/token`
    Token,
}

impl Operation {
    const ALL: [Self; 5] =
        [Self::CreateUser, Self::GetUser, Self::UsersByEmail, Self::ChangePassword, Self::Token];

    /// The outcomes that its calls are counted with.
    const fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::CreateUser => &[
                "created",
                "user_exists",
                "username_exists",
                "username_rejected",
                "password_rejected",
                "invalid_body",
                "misconfigured",
                "rate_limited",
                "not_sent",
                "ambiguous",
            ],
            Self::GetUser | Self::UsersByEmail => &["found", "absent", "forbidden", "failed"],
            Self::ChangePassword => &["accepted", "rejected", "failed"],
            Self::Token => &["granted", "misconfigured", "rate_limited", "failed"],
        }
    }
}

impl EncodeLabelValue for Operation {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::CreateUser => "create_user",
            Self::GetUser => "get_user",
            Self::UsersByEmail => "users_by_email",
            Self::ChangePassword => "change_password",
            Self::Token => "token",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Auth0Labels {
    operation: Operation,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Auth0OperationLabels {
    operation: Operation,
}

impl Metrics {
    /// Registers all metrics, at zero. The outcomes of sign-ups ([`Self::start_outcomes`]), the
    /// operations of the ledger and the limits appear once the parts that count them are built, and a
    /// clock's skew with its first measurement.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let started = registered(
            &mut registry,
            "process_start_time_seconds",
            "Start of the process, in Unix seconds",
        );
        let signups = CounterFamily::register(
            &mut registry,
            "signup_requests",
            "Sign-ups, by outcome",
            "outcome",
            [],
        );
        let signup_seconds = registered_seconds(
            &mut registry,
            "signup_requests_duration",
            "Duration of sign-ups, from the request's header to the response",
            Histogram::new(SECONDS),
        );
        let auth0: Family<Auth0Labels, Counter> =
            registered(&mut registry, "auth0_requests", "Calls to the tenant, by outcome");
        let auth0_seconds = registered_seconds(
            &mut registry,
            "auth0_requests_duration",
            "Duration of calls to the tenant",
            Family::<_, Histogram>::new_with_constructor(|| Histogram::new(SECONDS)),
        );
        for operation in Operation::ALL {
            for outcome in operation.outcomes() {
                drop(auth0.get_or_create(&Auth0Labels { operation, outcome }));
            }
            drop(auth0_seconds.get_or_create(&Auth0OperationLabels { operation }));
        }
        let token_expires = registered(
            &mut registry,
            "auth0_token_expires_timestamp_seconds",
            "Expiry of the Management API token, in Unix seconds; 0 if there is none",
        );
        let budget = BudgetMetrics::register(&mut registry);
        let breaker_open = registered(
            &mut registry,
            "auth0_breaker_open",
            "1 while calls fail at once because the last ones failed",
        );
        let challenges = ChallengeMetrics::register(&mut registry);
        let clock_skew = ClockSkew::register(&mut registry);
        let http = HttpMetrics::register(&mut registry);
        let limiters = LimiterFamilies::register(&mut registry);
        let ledger = LedgerMetrics::register(&mut registry);
        let closed_rejected = registered(
            &mut registry,
            "signup_closed_rejected",
            "Posts rejected because sign-ups are closed",
        );
        let email_rules = CounterFamily::register(
            &mut registry,
            "signup_email_rules",
            "E-mail addresses by result of the rules on domains and tags, where there are any",
            "outcome",
            EMAIL_RULES,
        );
        let floor_exceeded = registered(
            &mut registry,
            "signup_floor_exceeded",
            "Responses that took longer than existence_uniform.floor_ms: most of them were for new addresses",
        );
        let reloads = CounterFamily::register(
            &mut registry,
            "settings_reloads",
            "Reloads of the settings, by result",
            "result",
            ["applied", "failed"],
        );
        let last_reload_failed = registered(
            &mut registry,
            "settings_last_reload_failed",
            "1 if the last reload of the settings failed, so that earlier ones are in use",
        );
        registry.register(
            "log_lines_dropped",
            "Lines of the log that were dropped because its output was not read in time",
            DROPPED.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        Self {
            registry,
            started,
            signups,
            signup_seconds,
            auth0,
            auth0_seconds,
            token_expires,
            budget,
            breaker_open,
            challenges,
            clock_skew,
            http,
            limiters,
            ledger,
            closed_rejected,
            email_rules,
            floor_exceeded,
            reloads,
            last_reload_failed,
        }
    }

    /// Sets the start of the process, since the Unix epoch.
    pub fn started(&self, at: Duration) {
        self.started.set(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts a reload of the settings.
    pub fn settings_reloaded(&self, has_failed: bool) {
        let result = if has_failed { "failed" } else { "applied" };
        self.reloads.add(result, 1);
        self.last_reload_failed.set(has_failed.into());
    }

    /// The metrics of connections and proxies.
    pub const fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// Creates the counters of all outcomes of sign-ups, at zero.
    pub fn start_outcomes(&self, outcomes: impl IntoIterator<Item = &'static str>) {
        self.signups.start(outcomes);
    }

    /// Counts a sign-up by its outcome's code.
    pub fn signup(&self, outcome: &'static str, took: Duration) {
        self.signups.add(outcome, 1);
        self.signup_seconds.observe(took.as_secs_f64());
    }

    /// Counts a call to the tenant by its outcome's label.
    pub fn auth0_request(&self, operation: Operation, outcome: &'static str, took: Duration) {
        debug_assert!(operation.outcomes().contains(&outcome), "{operation:?} {outcome}");
        self.auth0.get_or_create(&Auth0Labels { operation, outcome }).inc();
        self.auth0_seconds
            .get_or_create(&Auth0OperationLabels { operation })
            .observe(took.as_secs_f64());
    }

    /// Sets the expiry of the token in use, since the Unix epoch; zero if there is none.
    pub fn token_expires(&self, at: Duration) {
        self.token_expires.set(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    }

    /// Sets the rate limit bucket that the tenant last reported.
    pub fn budget(&self, limit: u32, remaining: u32) {
        self.budget.limit.set(limit.into());
        self.budget.remaining.set(remaining.into());
    }

    /// Sets the number of calls that wait for the tenant's rate limit.
    pub fn budget_waiting(&self, waiting: usize) {
        self.budget.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts a call that was not made because the wait would have been too long.
    pub fn budget_exhausted(&self) {
        self.budget.exhausted.inc();
    }

    /// Sets whether the circuit breaker is open.
    pub fn breaker_open(&self, open: bool) {
        self.breaker_open.set(open.into());
    }

    /// The metrics of challenges.
    pub const fn challenges(&self) -> &ChallengeMetrics {
        &self.challenges
    }

    /// The skew of this machine's clock.
    pub const fn clock_skew(&self) -> &ClockSkew {
        &self.clock_skew
    }

    /// The metrics of the ledger.
    pub const fn ledger(&self) -> &LedgerMetrics {
        &self.ledger
    }

    /// The metrics of one limit.
    pub fn limiter(&self, limit: &'static str) -> LimiterMetrics {
        self.limiters.limiter(limit)
    }

    /// Counts a post that was rejected because sign-ups are closed.
    pub fn closed_rejected(&self) {
        self.closed_rejected.inc();
    }

    /// Counts an e-mail address by the result of the rules.
    pub fn email_rule(&self, outcome: &'static str) {
        self.email_rules.add(outcome, 1);
    }

    /// Counts a response that took longer than the floor of `existence = "uniform"`.
    pub fn floor_exceeded(&self) {
        self.floor_exceeded.inc();
    }

    /// All metrics in the Prometheus text format, version 0.0.4.
    pub fn encode(&self) -> String {
        let mut document = String::new();
        // Writing to a string cannot fail.
        let written = prometheus_text::encode(&mut document, &self.registry);
        debug_assert!(written.is_ok(), "{written:?}");
        document
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode_openmetrics(&self) -> String {
        let mut document = String::new();
        let written = text::encode(&mut document, &self.registry);
        debug_assert!(written.is_ok(), "{written:?}");
        document
    }
}

impl BudgetMetrics {
    fn register(registry: &mut Registry) -> Self {
        Self {
            limit: registered(
                registry,
                "auth0_budget_limit",
                "Size of the tenant's rate limit bucket, as last reported",
            ),
            remaining: registered(
                registry,
                "auth0_budget_remaining",
                "Permits left in it, as last reported",
            ),
            waiting: registered(registry, "auth0_budget_waiting", "Calls that wait for a permit"),
            exhausted: registered(
                registry,
                "auth0_budget_exhausted",
                "Calls not made because the wait for a permit would have been too long",
            ),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in the first column of the tables of metrics, without the suffixes of their samples.
    fn documented() -> BTreeSet<String> {
        let pages =
            [include_str!("../../docs/operations.md"), include_str!("../../docs/limits.md")];
        let tables = pages.iter().flat_map(|page| page.split("\n| metric |").skip(1));
        let rows =
            tables.flat_map(|table| table.lines().skip(2).take_while(|row| row.starts_with('|')));
        let names =
            rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
        names
            .map(|name| name.trim_end_matches("_total").trim_end_matches("_info").to_owned())
            .collect()
    }

    /// The names of all registered metrics, those without a sample included. Nothing but `Debug` shows
    /// them.
    fn registered() -> BTreeSet<String> {
        let registry = format!("{:?}", Metrics::new().registry);
        let descriptors = registry.split("Descriptor { name: \"").skip(1);
        descriptors
            .map(|descriptor| {
                let name = descriptor.split('"').next().unwrap();
                let fields = descriptor.split(" }").next().unwrap();
                let unit = if fields.contains("unit: Some(Seconds)") { "_seconds" } else { "" };
                format!("{name}{unit}")
            })
            .collect()
    }

    #[test]
    fn every_metric_is_documented_and_every_documented_one_exists() {
        assert!(registered().len() > 30);
        assert_eq!(registered(), documented());
    }
}
