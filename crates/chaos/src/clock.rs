//! A service's clock, which libfaketime moves while the service runs.
//!
//! Only the wall clock is moved: `CLOCK_MONOTONIC`, and with it every `Instant`, stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use auth0_signup::clock::{Clock as _, SystemClock};
use httpdate::parse_http_date;
use rand::RngExt as _;
use rand::rngs::StdRng;
use reqwest::Client;
use reqwest::header::DATE;

/// The largest difference from the machine's clock, in seconds.
const LARGEST_OFFSET_S: f64 = 90.0;

/// The largest difference between a `Date` header, which has whole seconds, and the expected one.
const TOLERANCE_S: f64 = 3.0;

/// The seconds after which a service notices that its clock was moved.
const NOTICED_AFTER_S: &str = "1";

/// The places where Debian and others install the library for programs with threads.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of one service: a file with its offset from the machine's clock.
#[derive(Debug, Clone)]
pub(crate) struct FakeClock {
    library: &'static str,
    file: PathBuf,
}

impl FakeClock {
    /// A clock in this file, with a random offset.
    pub(crate) fn new(file: PathBuf, rng: &mut StdRng) -> anyhow::Result<Self> {
        let library = LIBRARIES.into_iter().find(|library| Path::new(library).exists());
        let library = library.context(
            "libfaketime is missing: install Debian's package faketime, or name other --events",
        )?;
        let clock = Self { library, file };
        clock.step(rng)?;
        Ok(clock)
    }

    /// Moves the clock to another random offset, forward or back.
    pub(crate) fn step(&self, rng: &mut StdRng) -> anyhow::Result<()> {
        let offset = rng.random_range(-LARGEST_OFFSET_S..LARGEST_OFFSET_S);
        // A rename, so that the service never reads half a file.
        let draft = self.file.with_extension("draft");
        fs::write(&draft, format!("{offset:+.3}\n"))?;
        fs::rename(&draft, &self.file)?;
        Ok(())
    }

    /// Fails unless this is the clock of the service with this base URL, as its `Date` header shows
    /// it: without libfaketime's effect the run would prove nothing.
    pub(crate) async fn check(&self, client: &Client, url: &str) -> anyhow::Result<()> {
        let response = client.get(url).send().await?;
        let date = response.headers().get(DATE).context("the service sends no Date")?;
        let date = parse_http_date(date.to_str()?)?.duration_since(UNIX_EPOCH)?;
        let offset: f64 = fs::read_to_string(&self.file)?.trim().parse()?;
        let error = date.as_secs_f64() - SystemClock.now().as_secs_f64() - offset;
        anyhow::ensure!(error.abs() < TOLERANCE_S, "the service's clock is {error:.0} s off");
        Ok(())
    }

    /// The environment that makes a process use this clock.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", self.library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", NOTICED_AFTER_S.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}

/// Removes the shared memory that libfaketime leaves behind when its process is killed.
pub(crate) fn remove_shared_memory(process: u32) {
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        // Without libfaketime there is none.
        drop(fs::remove_file(format!("/dev/shm/{name}{process}")));
    }
}
