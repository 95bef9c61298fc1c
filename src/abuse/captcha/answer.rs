//! What a captcha service answers, and what it means.

use serde::Deserialize;

use super::super::proof::ProofFault;
use crate::config::CaptchaSettings;

/// The members that the services share, and those of one that are looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    success: bool,
    hostname: Option<String>,
    action: Option<String>,
    score: Option<f64>,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The token is a proof.
    Passed,
    /// It is not.
    Refused(ProofFault),
    /// The service refuses the operator's secret, for this reason.
    Misconfigured(&'static str),
    /// The service says that it failed.
    Failed,
}

/// Codes that no token can cause. The strings are ours, so that nothing of an answer is logged.
const MISCONFIGURED: [&str; 4] =
    ["missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "invalid-keys"];

impl Answer {
    /// Judges the answer by what the settings ask for.
    pub(super) fn judge(&self, settings: &CaptchaSettings) -> Judgement {
        let has = |code: &str| self.error_codes.iter().any(|known| known == code);
        if let Some(code) = MISCONFIGURED.into_iter().find(|code| has(code)) {
            return Judgement::Misconfigured(code);
        }
        if !self.success {
            let failed = has("internal-error");
            return if failed {
                Judgement::Failed
            } else {
                Judgement::Refused(ProofFault::Refused)
            };
        }
        let hostname = self.hostname.as_deref().unwrap_or_default().to_lowercase();
        if !settings.hostnames.contains(&hostname) {
            return Judgement::Refused(ProofFault::Hostname);
        }
        if settings.action.is_some() && settings.action != self.action {
            return Judgement::Refused(ProofFault::Action);
        }
        let least = settings.min_score_percent.map(|percent| f64::from(percent) / 100.0);
        match (least, self.score) {
            (None, _) => Judgement::Passed,
            (Some(least), Some(score)) if score >= least => Judgement::Passed,
            (Some(_), _) => Judgement::Refused(ProofFault::Score),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{OnUnavailable, Provider};

    fn settings() -> CaptchaSettings {
        CaptchaSettings {
            provider: Provider::ReCaptchaV3,
            site_key: "site".to_owned(),
            secret: "secret".into(),
            verify_url: "https://example.com".parse().unwrap(),
            hostnames: ["www.example.com".to_owned()].into(),
            action: Some("signup".to_owned()),
            min_score_percent: Some(50),
            on_unavailable: OnUnavailable::Reject,
            timeout: Duration::from_secs(1),
        }
    }

    fn judged(json: &str) -> Judgement {
        serde_json::from_str::<Answer>(json).unwrap().judge(&settings())
    }

    #[test]
    fn everything_that_is_asked_for_has_to_be_said() {
        use Judgement::{Passed, Refused};
        let ok = r#"{"success":true,"hostname":"WWW.example.com","action":"signup","score":0.5}"#;
        assert_eq!(judged(ok), Passed);
        for (change, to, fault) in [
            (r#""hostname":"WWW.example.com","#, "", ProofFault::Hostname),
            ("WWW.example.com", "example.com", ProofFault::Hostname),
            ("WWW.example.com", "www.example.com.evil.net", ProofFault::Hostname),
            (r#""action":"signup","#, "", ProofFault::Action),
            (r#""signup""#, r#""login""#, ProofFault::Action),
            ("0.5", "0.49", ProofFault::Score),
            (r#","score":0.5"#, "", ProofFault::Score),
            ("true", "false", ProofFault::Refused),
        ] {
            assert_eq!(judged(&ok.replace(change, to)), Refused(fault), "{to}");
        }
    }

    #[test]
    fn a_wrong_secret_is_not_the_senders_fault() {
        let codes = |code| judged(&format!(r#"{{"success":false,"error-codes":["{code}"]}}"#));
        let secret = "invalid-input-secret";
        assert_eq!(codes(secret), Judgement::Misconfigured(secret));
        assert_eq!(codes("internal-error"), Judgement::Failed);
        for code in ["invalid-input-response", "timeout-or-duplicate", "bad-request", "new-code"] {
            assert_eq!(codes(code), Judgement::Refused(ProofFault::Refused), "{code}");
        }
    }
}
