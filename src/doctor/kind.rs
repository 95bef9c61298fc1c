//! Every finding of `auth0-signup doctor`: the only place with its id, severity, setting and text.
//!
//! `docs/doctor.md` explains each. A `{}` in a text is a detail, in order.

use super::check::{DoctorCheck, Severity};

/// The fixed part of a finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct FindingSpec {
    /// The check that it belongs to.
    pub(super) check: DoctorCheck,
    /// The second part of its id, after that of the check.
    pub(super) reason: &'static str,
    /// Its severity.
    pub(super) severity: Severity,
    /// The setting to change, where there is one.
    pub(super) setting: Option<&'static str>,
    /// Its text.
    pub(super) text: &'static str,
}

/// Declares [`FindingKind`] from one row for each kind.
macro_rules! kinds {
    ($($kind:ident: $check:ident.$reason:ident $severity:ident $(($setting:literal))? $text:literal;)*) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FindingKind {
            $(#[doc = concat!("`", $text, "`")] $kind,)*
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The fixed part of the finding.
            pub(super) const fn spec(self) -> FindingSpec {
                match self {
                    $(Self::$kind => FindingSpec {
                        check: DoctorCheck::$check,
                        reason: stringify!($reason),
                        severity: Severity::$severity,
                        setting: kinds!(@setting $($setting)?),
                        text: $text,
                    },)*
                }
            }
        }
    };
    (@setting) => { None };
    (@setting $setting:literal) => { Some($setting) };
}

kinds! {
    // Settings that can be read, and are still unlikely to be meant.
    SettingsOk: Settings.ok Ok "the settings are complete and fit together";
    SettingsInvalid: Settings.invalid Error "{}";
    OriginsOk: Origins.ok Ok "allowed origins, all well formed: {}";
    OriginsPlainHttp: Origins.plain_http Warning ("http.allowed_origins")
        "{} has no TLS: others on the way can read and change what people type there";
    OriginsNoPublicUrl: Origins.no_public_url Warning ("http.public_url")
        "http.public_url is not set: a page of any name that resolves to this service may post";
    ProxiesOk: Proxies.ok Ok "networks of proxies that may name the client: {}";
    ProxiesTooWide: Proxies.too_wide Warning ("http.trusted_proxies")
        "{} covers a large part of the internet: any client in it can forge its address";
    TimeoutsOk: Timeouts.ok Ok "the timeouts fit the times recorded at Auth0";
    TimeoutsCallTooShort: Timeouts.call_too_short Warning ("auth0.timeout_ms")
        "{} ms is less than the slowest create call recorded at Auth0 (5,200 ms): calls that succeed end with an unknown outcome";
    TimeoutsConnectTooLong: Timeouts.connect_too_long Warning ("auth0.connect_timeout_ms")
        "connecting may take as long as a whole call (auth0.timeout_ms): nothing is left for the response";
    TimeoutsIdleTooShort: Timeouts.idle_too_short Warning ("http.idle_timeout_ms")
        "{} ms is not longer than most load balancers keep an idle connection (60,000 ms): they send requests on connections that have just been closed";
    TimeoutsDrainTooShort: Timeouts.drain_too_short Warning ("http.shutdown_timeout_ms")
        "requests may take longer (http.request_timeout_ms) than a stopping service waits for them";

    // The secret of the keyed digests.
    SecretOk: Secret.ok Ok "the secret is {}";
    SecretBeside: Secret.beside_database Warning ("secrets.key_path")
        "the secret is in the folder of its database ({}): a copy of that folder holds both";
    SecretRotating: Secret.rotating Warning ("secrets.previous_key")
        "a second secret is set: remove it once the rotation is complete";
    SecretExposed: Secret.exposed Error ("secrets.key_path") "{}";
    SecretShort: Secret.short Error ("secrets.key_path") "{}";
    SecretMissing: Secret.missing Error ("secrets.key") "{}";
    SecretUnreadable: Secret.unreadable Error ("secrets.key_path") "{}";

    // The ledger.
    DatabaseOk: Database.ok Ok "{} can be opened, and has this deployment's secret";
    DatabaseNew: Database.new Ok "{} has no ledger yet: the first start creates it";
    DatabaseInsecure: Database.insecure Warning ("database.url")
        "the connection to PostgreSQL on another host is not authenticated: set sslmode=verify-full";
    DatabaseUnreachable: Database.unreachable Error ("database.url") "{}";
    DatabaseRejected: Database.rejected Error ("database.url") "{}";
    DatabaseDenied: Database.denied Error ("database.url") "{}";
    DatabaseLost: Database.lost Error ("database.url") "{}";
    DatabaseDamaged: Database.damaged Error ("database.url") "{}";
    DatabaseForeign: Database.foreign Error ("database.url") "{}";
    DatabaseWrongSecret: Database.wrong_secret Error ("secrets.key") "{}";
    MigrationsOk: Migrations.ok Ok "every migration is applied";
    MigrationsPending: Migrations.pending Ok "pending migrations, which the next start applies: {}";
    MigrationsBlocked: Migrations.blocked Error ("ledger.migrate")
        "pending migrations, while ledger.migrate is off: {} (run `auth0-signup migrate`)";
    MigrationsIndexes: Migrations.indexes Warning
        "indexes not built yet: {} (lookups of attempts are slow; run `auth0-signup migrate`)";
    PrivilegesOk: Privileges.ok Ok "everything that the service writes can be written";
    PrivilegesMissing: Privileges.missing Error ("database.url") "rights on {} are missing";
    PrivilegesNoCreate: Privileges.no_create Error ("database.url")
        "migrations are pending, and this role may not create tables: run `auth0-signup migrate` as their owner";
    SessionsOk: Sessions.ok Ok "sessions are the service's own, and read committed";
    SessionsPooled: Sessions.pooled Ok
        "a pooler is in front: each call is one transaction with settings of its own, read committed";
    SessionsIsolation: Sessions.isolation Ok
        "the default isolation is {}: the service sets read committed for its own transactions";
    SessionsReadOnly: Sessions.read_only Error ("database.url") "the server takes no writes";
    DiskOk: Disk.ok Ok "{} are free beside the ledger";
    DiskLow: Disk.low Warning ("database.url") "only {} are free beside the ledger";
    DiskFull: Disk.full Error ("database.url")
        "only {} are free beside the ledger: sign-ups stop when it cannot be written";

    // The way to the tenant.
    ProxyNone: Proxy.none Ok "calls go to the tenant directly";
    ProxyUsed: Proxy.ok Ok "calls go through {}, which can be reached";
    ProxyBypassed: Proxy.bypassed Ok "calls go to the tenant directly, because {}";
    ProxyUnreachable: Proxy.unreachable Error ("HTTPS_PROXY") "the proxy {} cannot be reached: {}";
    ProxyUntrusted: Proxy.untrusted Error ("HTTPS_PROXY")
        "the certificate of the proxy {} is not trusted: {}";
    DnsOk: Dns.ok Ok "{} resolves; number of addresses: {}";
    DnsByProxy: Dns.by_proxy Ok "the proxy resolves {}";
    DnsFailed: Dns.unresolved Error ("auth0.domain") "{} does not resolve: {}";
    TlsOk: Tls.ok Ok "the certificate is trusted, and valid until {}";
    TlsUnused: Tls.unused Ok "the tenant is on this machine, without TLS";
    TlsExpiring: Tls.expiring Warning ("auth0.domain")
        "a certificate of the chain ends on {}: if it is that of a custom domain, renew it";
    TlsSetup: Tls.setup Error ("auth0.ca_file") "{}";
    TlsExpired: Tls.expired Error ("auth0.domain")
        "a certificate of the tenant has expired, or this machine's clock is wrong";
    TlsNotYetValid: Tls.not_yet_valid Error ("auth0.domain")
        "a certificate of the tenant is not valid yet, or this machine's clock is wrong";
    TlsWrongName: Tls.wrong_name Error ("auth0.domain")
        "the certificate is not for the host in auth0.domain";
    TlsUnknownIssuer: Tls.unknown_issuer Error ("auth0.ca_file") "{}";
    TlsRejected: Tls.rejected Error ("auth0.ca_file") "{}";
    TenantOk: Tenant.ok Ok "{} responds as a tenant";
    TenantUnreachable: Tenant.unreachable Error ("auth0.domain") "{} does not respond: {}";
    TenantFailing: Tenant.failing Error "{} responds with status {}";
    TenantUnrecognised: Tenant.unrecognised Warning ("auth0.domain")
        "{} responds, but not as a tenant of Auth0";
    TenantRedirects: Tenant.redirects Error ("auth0.domain") "{}";
    TenantNotAuth0: Tenant.not_auth0 Error ("auth0.domain") "{}";
    ClockOk: Clock.ok Ok "this machine's clock agrees with the tenant's";
    ClockSkewed: Clock.skewed Warning
        "this machine's clock is {} s {} the tenant's: synchronise it (NTP)";
    ClockWrong: Clock.wrong Error
        "this machine's clock is {} s {} the tenant's: synchronise it (NTP), because tokens may be rejected";
    ClockUnknown: Clock.unknown Warning "the tenant's responses carry no usable Date";

    // The token and its scopes.
    TokenOk: Token.ok Ok "{} grants a token for {}, valid for {} s";
    TokenShort: Token.short_lived Warning
        "a token is valid for {} s only: each replica requests one that often, which a token quota counts";
    TokenCredentials: Token.credentials Error ("auth0.client_secret") "{}";
    TokenClientGrant: Token.client_grant Error ("auth0.client_id") "{}";
    TokenUnknownAudience: Token.unknown_audience Error ("auth0.audience") "{}";
    TokenAudience: Token.audience Error ("auth0.audience") "{}";
    TokenGrantType: Token.grant_type Error ("auth0.client_id") "{}";
    TokenRateLimited: Token.rate_limited Error
        "the token endpoint's rate limit or the application's token quota is used up for {} s";
    TokenUndocumented: Token.undocumented Error ("auth0.client_id")
        "the token endpoint rejects the request: {}";
    TokenFailed: Token.failed Error ("auth0.domain") "the token endpoint fails: {}";
    ApiOk: Api.ok Ok "the Management API accepts the token";
    ApiTokenRejected: Api.token_rejected Error ("auth0.domain") "{}";
    ApiPlan: Api.plan Error "{}";
    ApiUndocumented: Api.undocumented Error "{}";
    ApiRateLimited: Api.rate_limited Warning "the tenant's rate limit is reached for {} s";
    ApiFailed: Api.failed Error ("auth0.domain") "the Management API fails: {}";
    ScopesOk: Scopes.ok Ok "the token has create:users and read:users";
    ScopesCreateMissing: Scopes.create_users Error ("auth0.client_id") "{}";
    ScopesReadMissing: Scopes.read_users Warning ("auth0.client_id")
        "the application lacks the scope read:users: an unknown outcome cannot be looked up, and a conflict is believed without a lookup";
    ScopesExcessive: Scopes.excessive Warning ("auth0.client_id")
        "the application has more scopes than a sign-up needs: {}";
    ScopesUnreported: Scopes.unreported Warning "the tenant does not name the scopes of its token";

    // The connection.
    ConnectionOk: Connection.ok Ok "{} is a database connection and enabled";
    ConnectionUnreadable: Connection.unreadable Warning "{} cannot be read: {}";
    ConnectionMissing: Connection.missing Error ("auth0.connection")
        "the tenant has no connection named {}: the setting is its name, not its con_ id";
    ConnectionUnusable: Connection.unusable Error ("auth0.connection") "{}";
    ConnectionNotDatabase: Connection.not_database Error ("auth0.connection")
        "{} is a connection of the kind {}, not a database";
    ConnectionDisabled: Connection.disabled Error ("auth0.connection")
        "{} is enabled for no application: enable it for this one (auth0.client_id) and for the one that people log in to";
    ConnectionNotForClient: Connection.not_for_client Warning ("auth0.client_id")
        "{} is enabled for other applications, not for this one";
    ConnectionNotForLock: Connection.not_for_lock Warning ("auth0_compat.client_ids")
        "{} is not enabled for {}: people who sign up there cannot log in";
    ConnectionCustomDatabase: Connection.custom_database Warning ("auth0.pin_user_id")
        "a custom database may ignore the user ids that the service pins: run `doctor --live`";
    AttributesOk: Attributes.ok Ok "the fields fit the attributes of the connection";
    AttributesRequired: Attributes.required Error "{}";
    AttributesNotAccepted: Attributes.not_accepted Error "{}";
    AttributesUsernameBounds: Attributes.username_bounds Warning ("fields.username_max_length")
        "a username has {} to {} characters here and {} to {} at Auth0";
    AttributesSharedEmail: Attributes.shared_email Warning
        "several users of the connection may have one e-mail address: a second sign-up with it creates another user";
    PublicSignupClosed: PublicSignup.ok Ok
        "Auth0's own sign-up is off for this connection: every sign-up goes through this service";
    PublicSignupOpen: PublicSignup.open Warning
        "Auth0's own sign-up is open: switch on Disable Sign Ups for the connection if every form posts to this service, so that nobody goes around its limits";
    PolicyOk: PasswordPolicy.ok Ok "the password policy is that of the connection";
    PolicyTenantStricter: PasswordPolicy.tenant_stricter Warning
        "the connection rejects passwords that [password] accepts ({}): people are not shown the rule";
    PolicyTenantWeaker: PasswordPolicy.tenant_weaker Warning
        "[password] rejects passwords that the connection accepts ({})";
    PolicyUnsupported: PasswordPolicy.unsupported Warning ("password.dictionary.active")
        "the connection's policy cannot be checked here: {}";
    CustomDomainOk: CustomDomain.ok Ok "it is clear which custom domain a user belongs to";
    CustomDomainAmbiguous: CustomDomain.ambiguous Error ("auth0.custom_domain") "{}";
    CustomDomainUnknown: CustomDomain.unknown Error ("auth0.custom_domain") "{}";

    // The test user of --live.
    LiveOk: Live.ok Ok
        "a test user was created, found by id and by address, and deleted; the connection keeps pinned ids";
    LiveDeleted: Live.deleted Ok "the test user is deleted";
    LiveNoDelete: Live.no_delete Error ("auth0.client_id")
        "no test user was created: the application lacks delete:users, so it would stay";
    LiveUnbuildable: Live.unbuildable Error "no test user was created: the settings allow none ({})";
    LiveIdsIgnored: Live.ids_ignored Warning ("auth0.pin_user_id")
        "the connection does not keep pinned user ids, as a custom database may: a lost response is harder to resolve";
    LiveCreatedTwice: Live.created_twice Error ("auth0.connection")
        "the same call created a second user: the connection accepts an e-mail address twice";
    LiveLookupByIdFailed: Live.lookup_by_id Error ("auth0.client_id")
        "the test user was not found by its id: {}";
    LiveLookupByEmailFailed: Live.lookup_by_email Error ("auth0.client_id")
        "the test user was not found by its address: {}";
    LiveLeftBehind: Live.left_behind Error
        "the test user {} is left behind, because it could not be deleted ({}): delete it in the dashboard";
    LiveMaybeLeftBehind: Live.maybe_left_behind Error
        "a test user may be left behind: look for {} in the dashboard and delete it ({})";
    LivePasswordWeak: Live.password_too_weak Error
        "the connection rejects 72 random characters of every kind as too weak: look at its password policy";
    LivePasswordCommon: Live.password_too_common Error
        "the connection rejects a random password as too common: look at its dictionary";
    LivePasswordUserInfo: Live.password_user_info Error
        "the connection finds personal data in a random password: look at its blocked fields";
    LivePasswordBreached: Live.password_breached Error
        "the tenant finds a random password in its list of breached ones: look at its breached password detection";
    LivePasswordUsed: Live.password_used Error
        "the connection says that a new user has used its password before: look at its password history";
    LiveUserExists: Live.user_exists Error ("auth0.connection")
        "the tenant says that a user with a random address exists: does a script of the connection respond that?";
    LiveUsernameTaken: Live.username_taken Error ("auth0.connection")
        "the tenant says that a user with a random username exists: does a script of the connection respond that?";
    LiveUsernameRejected: Live.username_rejected Error ("fields.username_max_length")
        "the connection rejects a username within the bounds of [fields]";
    LiveScriptRejected: Live.script_rejected Error "{}";
    LiveInvalidBody: Live.invalid_body Error
        "Auth0's schema rejects a body that meets every rule here: report it to this project";
    LiveRateLimited: Live.rate_limited Error
        "no test user was created: the tenant's rate limit is reached for {} s";
    LiveNotSent: Live.not_sent Error ("auth0.domain") "no test user was created: {}";
    LiveTenantFails: Live.tenant_fails Error
        "the create call got no usable response ({}): Auth0 fails, or the network on the way";
}
