//! The vocabulary of a diagnosis: the checks, and how severe a finding is.

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be, or not checked by choice.
    Ok,
    /// Sign-ups work, and something is lost or at risk.
    Warning,
    /// Sign-ups fail, all of them or those concerned.
    Error,
}

impl Severity {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A thing that is checked. Each has a section in `docs/doctor.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoctorCheck {
    /// The settings as a whole.
    Settings,
    /// The allowed origins.
    Origins,
    /// The trusted proxies in front.
    Proxies,
    /// The timeouts.
    Timeouts,
    /// The secret of the keyed digests.
    Secret,
    /// The database of the ledger.
    Database,
    /// Its migrations.
    Migrations,
    /// The rights on it.
    Privileges,
    /// The sessions at a server.
    Sessions,
    /// The free space beside a file.
    Disk,
    /// The proxy on the way to the tenant.
    Proxy,
    /// The tenant's name.
    Dns,
    /// The tenant's certificates.
    Tls,
    /// The tenant itself.
    Tenant,
    /// This machine's clock.
    Clock,
    /// The Management API token.
    Token,
    /// The Management API with that token.
    Api,
    /// The scopes of the token.
    Scopes,
    /// The database connection.
    Connection,
    /// Its attributes.
    Attributes,
    /// Auth0's own sign-up.
    PublicSignup,
    /// The password policy.
    PasswordPolicy,
    /// The custom domains.
    CustomDomain,
    /// The test user of `--live`.
    Live,
}

impl DoctorCheck {
    /// The name in output, and the first part of an id.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Origins => "origins",
            Self::Proxies => "proxies",
            Self::Timeouts => "timeouts",
            Self::Secret => "secret",
            Self::Database => "database",
            Self::Migrations => "migrations",
            Self::Privileges => "privileges",
            Self::Sessions => "sessions",
            Self::Disk => "disk",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Tenant => "tenant",
            Self::Clock => "clock",
            Self::Token => "token",
            Self::Api => "api",
            Self::Scopes => "scopes",
            Self::Connection => "connection",
            Self::Attributes => "attributes",
            Self::PublicSignup => "public_signup",
            Self::PasswordPolicy => "password_policy",
            Self::CustomDomain => "custom_domain",
            Self::Live => "live",
        }
    }

    /// The link to its section, relative to the root of the repository.
    pub fn docs(self) -> String {
        format!("docs/doctor.md#{}", self.name())
    }
}
