//! `[challenge]`: the proofs that a sign-up needs, and when.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::captcha::{self, CaptchaSettings};
use super::reader::Reader;
use crate::domain::Field;
use crate::form::ControlField;

/// The proofs that a sign-up needs, and when.
#[derive(Debug, Clone)]
pub struct ChallengeSettings {
    /// The condition under which a proof is required.
    pub required: Required,
    /// The field that people leave empty; `None` is off.
    pub honeypot: Option<String>,
    /// The accepted age of a form's token; `None` is off.
    pub fill_time: Option<RangeInclusive<Duration>>,
    /// Requires a proof for a post without a form's token.
    pub form_token_required: bool,
    /// The attempts without a proof that an address has per hour while a proof is required.
    pub without_proof_per_hour: u32,
    /// The limits of pressure.
    pub adaptive: AdaptiveSettings,
    /// The proof of work.
    pub work: WorkSettings,
    /// The captcha that replaces it.
    pub captcha: Option<CaptchaSettings>,
}

/// The condition under which a proof is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Under pressure.
    Adaptive,
    /// For every attempt.
    Always,
    /// Only if a form looks automated.
    Off,
}

/// The limits above which there is pressure.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveSettings {
    /// Attempts of one address before it is under pressure.
    pub address_burst: u32,
    /// The time in which an address regains one of them.
    pub address_refill: Duration,
    /// Attempts per minute of all addresses before the service is under pressure.
    pub attempts_per_minute: u32,
    /// The percentage of attempts that may be unsuccessful without pressure.
    pub unsuccessful_percent: u32,
}

/// The proof of work.
#[derive(Debug, Clone, Copy)]
pub struct WorkSettings {
    /// PBKDF2 iterations per try.
    pub cost: u32,
    /// Tries of the hardest challenge without pressure.
    pub tries: u32,
    /// The time in which a challenge may be solved and used.
    pub lifetime: Duration,
    /// Challenges issued to one address per minute.
    pub per_minute: u32,
}

pub(super) fn read(reader: &mut Reader<'_>) -> ChallengeSettings {
    let required = reader.choice(
        "challenge.required",
        &[("adaptive", Required::Adaptive), ("always", Required::Always), ("off", Required::Off)],
    );
    let (fill_time, form_token_required) =
        (fill_time(reader), reader.flag("challenge.form_token_required"));
    if form_token_required && fill_time.is_none() {
        let expected =
            "false while challenge.min_fill_ms is 0, which turns the check of the token off";
        reader.reject("challenge.form_token_required", expected);
    }
    ChallengeSettings {
        required: required.unwrap_or(Required::Always),
        honeypot: honeypot(reader),
        fill_time,
        form_token_required,
        without_proof_per_hour: reader.number("challenge.without_proof_per_hour", 0..=1_000_000),
        adaptive: AdaptiveSettings {
            address_burst: reader.number("challenge.adaptive.address_burst", 1..=1_000_000),
            address_refill: reader.millis("challenge.adaptive.address_refill_ms", 1..=86_400_000),
            attempts_per_minute: reader
                .number("challenge.adaptive.attempts_per_minute", 1..=1_000_000_000),
            unsuccessful_percent: reader.number("challenge.adaptive.unsuccessful_percent", 1..=100),
        },
        work: WorkSettings {
            cost: reader.number("challenge.work.cost", 1_000..=1_000_000),
            tries: reader.number("challenge.work.tries", 2..=100_000),
            lifetime: reader.millis("challenge.work.lifetime_ms", 10_000..=3_600_000),
            per_minute: reader.number("challenge.work.per_minute", 1..=1_000_000),
        },
        captcha: captcha::read(reader),
    }
}

/// Reads the name of the honeypot. It must not be the name of a field, which people fill in.
fn honeypot(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.text("challenge.honeypot")?;
    let taken = Field::from_name(&name).is_some()
        || ControlField::from_name(&name).is_some()
        || reader.list("fields.ignore").contains(&name);
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !plain || name.len() > 64 || name.starts_with("user_metadata") || taken {
        let expected = "a name of a-z, 0-9, _ and - (at most 64) that no field has";
        reader.reject("challenge.honeypot", expected);
    }
    Some(name)
}

fn fill_time(reader: &mut Reader<'_>) -> Option<RangeInclusive<Duration>> {
    let min = reader.millis("challenge.min_fill_ms", 0..=3_600_000);
    let hours = reader.integer("challenge.max_fill_hours", &(1..=720));
    (!min.is_zero()).then(|| min..=Duration::from_hours(hours))
}
