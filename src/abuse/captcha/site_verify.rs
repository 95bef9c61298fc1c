//! The response of a captcha service, and its meaning.

use serde::Deserialize;

use super::super::proof::ProofError;
use super::error::{CaptchaError, ServiceError};
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

/// Codes that no token can cause. The code logged is one of these strings, never a part of a
/// response.
const MISCONFIGURED: [&str; 4] =
    ["missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "invalid-keys"];

impl SiteVerifyResponse {
    /// Evaluates the response by the requirements of the settings.
    ///
    /// # Errors
    /// If the token is not valid, or the service did not verify it.
    pub(super) fn evaluate(&self, settings: &CaptchaSettings) -> Result<(), CaptchaError> {
        let has = |code: &str| self.error_codes.iter().any(|known| known == code);
        if let Some(code) = MISCONFIGURED.into_iter().find(|code| has(code)) {
            return Err(CaptchaError::Misconfigured(code));
        }
        if !self.success && has("internal-error") {
            return Err(CaptchaError::Unavailable(ServiceError::Internal));
        }
        self.check(settings).map_err(CaptchaError::Invalid)
    }

    /// Checks that a response accepts the token, as the settings require.
    fn check(&self, settings: &CaptchaSettings) -> Result<(), ProofError> {
        if !self.success {
            return Err(ProofError::Rejected);
        }
        let hostname = self.hostname.as_deref().unwrap_or_default().to_lowercase();
        if !settings.hostnames.contains(&hostname) {
            return Err(ProofError::Hostname);
        }
        if settings.action.is_some() && settings.action != self.action {
            return Err(ProofError::Action);
        }
        let least = settings.min_score_percent.map(|percent| f64::from(percent) / 100.0);
        match (least, self.score) {
            (None, _) => Ok(()),
            (Some(least), Some(score)) if score >= least => Ok(()),
            (Some(_), _) => Err(ProofError::Score),
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

    fn result(json: &str) -> Result<(), CaptchaError> {
        serde_json::from_str::<SiteVerifyResponse>(json).unwrap().evaluate(&settings())
    }

    fn rejected_for(json: &str) -> Option<ProofError> {
        match result(json) {
            Err(CaptchaError::Invalid(error)) => Some(error),
            _ => None,
        }
    }

    #[test]
    fn every_requirement_must_be_met() {
        let ok = r#"{"success":true,"hostname":"WWW.example.com","action":"signup","score":0.5}"#;
        assert!(result(ok).is_ok());
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
            assert_eq!(rejected_for(&ok.replace(change, to)), Some(error), "{to}");
        }
    }

    #[test]
    fn a_wrong_secret_is_a_misconfiguration() {
        let json = |code| format!(r#"{{"success":false,"error-codes":["{code}"]}}"#);
        let secret = "invalid-input-secret";
        let rejected = result(&json(secret));
        assert!(matches!(rejected, Err(CaptchaError::Misconfigured(code)) if code == secret));
        let failed = result(&json("internal-error"));
        assert!(matches!(failed, Err(CaptchaError::Unavailable(ServiceError::Internal))));
        for code in ["invalid-input-response", "timeout-or-duplicate", "bad-request", "new-code"] {
            assert_eq!(rejected_for(&json(code)), Some(ProofError::Rejected), "{code}");
        }
    }
}
