//! The response of a captcha service, and its meaning.

use serde::Deserialize;

use super::super::proof::ProofError;
use crate::config::CaptchaSettings;

/// The members that all services have, and those of one service that are checked.
#[derive(Debug, Deserialize)]
pub(super) struct SiteVerifyResponse {
    success: bool,
    hostname: Option<String>,
    action: Option<String>,
    score: Option<f64>,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VerificationResult {
    /// The token is valid.
    Valid,
    /// The token is not valid.
    Invalid(ProofError),
    /// The service rejects the operator's secret, with this code.
    Misconfigured(&'static str),
    /// The service reports an internal failure.
    Failed,
}

/// Codes that no token can cause. The code logged is one of these strings, never a part of a
/// response.
const MISCONFIGURED: [&str; 4] =
    ["missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "invalid-keys"];

impl SiteVerifyResponse {
    /// Evaluates the response by the requirements of the settings.
    pub(super) fn evaluate(&self, settings: &CaptchaSettings) -> VerificationResult {
        let has = |code: &str| self.error_codes.iter().any(|known| known == code);
        if let Some(code) = MISCONFIGURED.into_iter().find(|code| has(code)) {
            return VerificationResult::Misconfigured(code);
        }
        if !self.success {
            let failed = has("internal-error");
            return if failed {
                VerificationResult::Failed
            } else {
                VerificationResult::Invalid(ProofError::Rejected)
            };
        }
        let hostname = self.hostname.as_deref().unwrap_or_default().to_lowercase();
        if !settings.hostnames.contains(&hostname) {
            return VerificationResult::Invalid(ProofError::Hostname);
        }
        if settings.action.is_some() && settings.action != self.action {
            return VerificationResult::Invalid(ProofError::Action);
        }
        let least = settings.min_score_percent.map(|percent| f64::from(percent) / 100.0);
        match (least, self.score) {
            (None, _) => VerificationResult::Valid,
            (Some(least), Some(score)) if score >= least => VerificationResult::Valid,
            (Some(_), _) => VerificationResult::Invalid(ProofError::Score),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::captcha_provider::CaptchaProvider;
    use crate::config::{OnUnavailable, OutboundSettings};

    fn settings() -> CaptchaSettings {
        CaptchaSettings {
            provider: CaptchaProvider::ALL[3],
            site_key: "site".to_owned(),
            secret: "secret".into(),
            verify_url: "https://example.com".parse().unwrap(),
            hostnames: ["www.example.com".to_owned()].into(),
            action: Some("signup".to_owned()),
            min_score_percent: Some(50),
            on_unavailable: OnUnavailable::Reject,
            timeout: Duration::from_secs(1),
            outbound: OutboundSettings { authorities: Vec::new(), proxy: None },
        }
    }

    fn result(json: &str) -> VerificationResult {
        serde_json::from_str::<SiteVerifyResponse>(json).unwrap().evaluate(&settings())
    }

    #[test]
    fn every_requirement_must_be_met() {
        use VerificationResult::{Invalid, Valid};
        let ok = r#"{"success":true,"hostname":"WWW.example.com","action":"signup","score":0.5}"#;
        assert_eq!(result(ok), Valid);
        for (change, to, error) in [
            (r#""hostname":"WWW.example.com","#, "", ProofError::Hostname),
            ("WWW.example.com", "example.com", ProofError::Hostname),
            ("WWW.example.com", "www.example.com.evil.net", ProofError::Hostname),
            (r#""action":"signup","#, "", ProofError::Action),
            (r#""signup""#, r#""login""#, ProofError::Action),
            ("0.5", "0.49", ProofError::Score),
            (r#","score":0.5"#, "", ProofError::Score),
            ("true", "false", ProofError::Rejected),
        ] {
            assert_eq!(result(&ok.replace(change, to)), Invalid(error), "{to}");
        }
    }

    #[test]
    fn a_wrong_secret_is_a_misconfiguration() {
        let codes = |code| result(&format!(r#"{{"success":false,"error-codes":["{code}"]}}"#));
        let secret = "invalid-input-secret";
        assert_eq!(codes(secret), VerificationResult::Misconfigured(secret));
        assert_eq!(codes("internal-error"), VerificationResult::Failed);
        for code in ["invalid-input-response", "timeout-or-duplicate", "bad-request", "new-code"] {
            assert_eq!(codes(code), VerificationResult::Invalid(ProofError::Rejected), "{code}");
        }
    }
}
