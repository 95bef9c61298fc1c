//! The report: all findings, as text for people and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::check::{DoctorCheck, Severity};
use super::finding::Finding;

/// The result of a diagnosis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorReport {
    findings: Vec<Finding>,
}

impl DoctorReport {
    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds a finding for each of these checks: it is skipped, for this reason.
    pub(super) fn skip(
        &mut self,
        checks: impl IntoIterator<Item = DoctorCheck>,
        reason: &'static str,
    ) {
        self.extend(checks.into_iter().map(|check| Finding::skipped(check, reason)));
    }

    /// The findings, in the order of the checks.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The severity of the worst finding.
    pub fn status(&self) -> Severity {
        self.findings.iter().map(Finding::severity).max().unwrap_or(Severity::Ok)
    }

    /// The report as JSON: `status` and `findings`, as `docs/doctor.md` documents them.
    pub fn to_json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "id": finding.id(),
                "severity": finding.severity().name(),
                "message": finding.message(),
                "setting": finding.setting(),
                "docs": finding.check().docs(),
            })
        };
        json!({
            "status": self.status().name(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    /// The report as text: one line for each finding, and what to change below it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let (severity, check) = (finding.severity(), finding.check());
            // Writing to a string cannot fail.
            let _unfailing =
                writeln!(text, "{:<8} {:<15} {}", severity.name(), check.name(), finding.message());
            if severity > Severity::Ok {
                let setting = finding.setting().map(|setting| format!("{setting}, "));
                let setting = setting.unwrap_or_default();
                let _unfailing = writeln!(text, "{:24} -> {setting}{}", "", check.docs());
            }
        }
        let count = |severity: Severity| {
            self.findings.iter().filter(|finding| finding.severity() == severity).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let _unfailing = writeln!(text, "errors: {errors}, warnings: {warnings}");
        text
    }
}

impl Extend<Finding> for DoctorReport {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        self.findings.extend(findings);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::FindingKind;
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_the_remedy_follows() {
        let mut report = DoctorReport::default();
        assert_eq!(report.status(), Severity::Ok);
        report.push(Finding::not_checked(DoctorCheck::Connection, "no scope"));
        assert_eq!(report.status(), Severity::Ok);
        report.push(Finding::about(FindingKind::TimeoutsCallTooShort, 300));
        assert_eq!(report.status(), Severity::Warning);
        report.push(Finding::skipped(DoctorCheck::Api, "there is no token"));
        report.push(Finding::about(FindingKind::AttributesRequired, "x").at("fields.username"));
        assert_eq!(report.status(), Severity::Error);
        let json = report.to_json();
        assert_eq!(json["status"], "error");
        assert_eq!(
            json["findings"][3],
            json!({"id": "attributes.required", "severity": "error", "message": "x",
                "setting": "fields.username", "docs": "docs/doctor.md#attributes"})
        );
        assert_eq!(json["findings"][2]["id"], "api.skipped");
        assert_eq!(json["findings"][2]["setting"], Value::Null);
        let text = report.to_text();
        assert!(text.contains("-> fields.username, docs/doctor.md#attributes\n"), "{text}");
        assert!(text.ends_with("errors: 1, warnings: 2\n"), "{text}");
    }
}
