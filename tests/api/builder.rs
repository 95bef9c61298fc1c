//! The settings, the tenant and the clock that an app under test starts with.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth0_emulator::{Builder, Emulator, Tenant};
use auth0_signup::clock::{Clock, SystemClock};

use crate::app::TestApp;
use crate::temp_dir::TempDir;

/// The `secrets.key` of apps on PostgreSQL.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The secret of an app at its captcha service.
pub(crate) const CAPTCHA_SECRET: &str = "canary-captcha-secret";

/// Configures a [`TestApp`].
pub(crate) struct TestAppBuilder {
    auth0: Tenancy,
    setup: Setup,
}

/// The settings with which an app is started, and started again.
pub(crate) struct Setup {
    pub(crate) file: Option<PathBuf>,
    pub(crate) settings: Vec<(OsString, OsString)>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) request_timeout: Option<Duration>,
}

/// A tenant to start, or one that runs already.
enum Tenancy {
    New(Box<Builder>),
    Started(Emulator),
}

impl Default for TestAppBuilder {
    fn default() -> Self {
        let setup = Setup {
            file: None,
            settings: Vec::new(),
            clock: Arc::new(SystemClock),
            request_timeout: None,
        };
        Self { auth0: Tenancy::New(Box::new(Emulator::builder())), setup }
    }
}

impl TestAppBuilder {
    /// Changes the tenant.
    pub(crate) fn auth0(mut self, change: impl FnOnce(&mut Tenant)) -> Self {
        self.auth0 = match self.auth0 {
            Tenancy::New(builder) => Tenancy::New(Box::new(builder.tenant(change))),
            Tenancy::Started(_) => panic!("the tenant runs already"),
        };
        self
    }

    /// Uses a tenant that runs already.
    pub(crate) fn tenant(mut self, auth0: Emulator) -> Self {
        self.auth0 = Tenancy::Started(auth0);
        self
    }

    /// Grants the application these scopes, instead of those that the service needs.
    pub(crate) fn scopes(self, scopes: &[&str]) -> Self {
        self.auth0(|tenant| tenant.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect())
    }

    /// Lays a file over the defaults.
    pub(crate) fn file(mut self, path: &Path) -> Self {
        self.setup.file = Some(path.to_owned());
        self
    }

    /// Sets a key of `config/default.toml`.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.setup.settings.push((variable(key), value.into()));
        self
    }

    /// Sets an environment variable that is no key's.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.setup.settings.push((name.into(), value.into()));
        self
    }

    /// Keeps the ledger in this database, which replicas may share: all have one secret.
    pub(crate) fn postgres(self, url: &str) -> Self {
        self.set("database.url", url).set("secrets.key", SECRET)
    }

    /// Verifies captchas of this provider.
    pub(crate) fn captcha(self, provider: &str) -> Self {
        self.set("auth0_compat.enabled", "false")
            .set("challenge.captcha.provider", provider)
            .set("challenge.captcha.site_key", "site")
            .set("challenge.captcha.secret", CAPTCHA_SECRET)
            .set("challenge.captcha.hostnames", "www.example.com,example.org")
    }

    /// Sets a deadline for requests that is shorter than a call may take, which settings reject.
    pub(crate) fn request_timeout(mut self, timeout: Duration) -> Self {
        self.setup.request_timeout = Some(timeout);
        self
    }

    /// Sets timeouts of calls that no busy machine reaches, for a test with another subject.
    pub(crate) fn patient(self) -> Self {
        self.set("auth0.connect_timeout_ms", "60000")
            .set("auth0.timeout_ms", "60000")
            .set("http.request_timeout_ms", "90000")
    }

    /// Uses another wall clock than the machine's.
    pub(crate) fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.setup.clock = clock;
        self
    }

    pub(crate) async fn spawn(self) -> TestApp {
        let auth0 = match self.auth0 {
            Tenancy::New(builder) => builder.start().await.unwrap(),
            Tenancy::Started(auth0) => auth0,
        };
        let folder = TempDir::new();
        write_secret(&folder.path().join("signup.db.key.new"));
        TestApp::start(auth0, folder, self.setup).await
    }
}

/// Writes the secret of a new ledger, always the same one: with a random secret, two of some hundred
/// passwords would sometimes share the bits that stand for a form without a key.
fn write_secret(path: &Path) {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(b"the secret of every ledger under test").unwrap();
}

/// The environment variable of a key.
pub(crate) fn variable(key: &str) -> OsString {
    format!("SIGNUP__{}", key.replace('.', "__").to_uppercase()).into()
}
