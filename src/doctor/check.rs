//! The vocabulary of a diagnosis: the checks, and how severe a finding is.

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be, or not checked.
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

/// Declares [`DoctorCheck`] from one entry for each check: its variant and its name.
macro_rules! checks {
    ($(#[doc = $doc:literal] $check:ident $name:literal;)*) => {
        /// A thing that is checked. Each has a section in `docs/doctor.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DoctorCheck {
            $(#[doc = $doc] $check,)*
        }

        impl DoctorCheck {
            /// The name in output, and the first part of an id.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                }
            }
        }
    };
}

checks! {
    /// The settings as a whole.
    Settings "settings";
    /// The allowed origins.
    Origins "origins";
    /// The trusted proxies in front.
    Proxies "proxies";
    /// The timeouts.
    Timeouts "timeouts";
    /// The secret of the keyed digests.
    Secret "secret";
    /// The database of the ledger.
    Database "database";
    /// Its migrations.
    Migrations "migrations";
    /// The rights on it.
    Privileges "privileges";
    /// The sessions at a server.
    Sessions "sessions";
    /// The free space beside a file.
    Disk "disk";
    /// The proxy on the way to the tenant.
    Proxy "proxy";
    /// The tenant's name.
    Dns "dns";
    /// The tenant's certificates.
    Tls "tls";
    /// The tenant itself.
    Tenant "tenant";
    /// This machine's clock.
    Clock "clock";
    /// The Management API token.
    Token "token";
    /// The Management API with that token.
    Api "api";
    /// The scopes of the token.
    Scopes "scopes";
    /// The database connection.
    Connection "connection";
    /// Its attributes.
    Attributes "attributes";
    /// Auth0's own sign-up.
    PublicSignup "public_signup";
    /// The password policy.
    PasswordPolicy "password_policy";
    /// The custom domains.
    CustomDomain "custom_domain";
    /// The test user of `--live`.
    Live "live";
}

impl DoctorCheck {
    /// The link to its section, relative to the root of the repository.
    pub fn docs(self) -> String {
        format!("docs/doctor.md#{}", self.name())
    }
}
