//! One result of a diagnosis: a kind with its details, or a check that did not run.

use std::fmt;

use super::check::{DoctorCheck, Severity};
use super::kind::FindingKind;

/// One result of a diagnosis. Holds no secret, token or e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    content: FindingContent,
    setting: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FindingContent {
    /// A result, with the details of its text.
    Result(FindingKind, Vec<String>),
    /// A check that another finding makes impossible.
    Skipped(DoctorCheck, &'static str),
    /// A check that lacks a scope, or that this machine cannot make.
    NotChecked(DoctorCheck, &'static str),
}

impl Finding {
    /// A finding whose text has no details.
    pub fn new(kind: FindingKind) -> Self {
        Self::with(kind, Vec::new())
    }

    /// A finding with one detail.
    pub fn about(kind: FindingKind, detail: impl fmt::Display) -> Self {
        Self::with(kind, vec![detail.to_string()])
    }

    /// A finding with these details, in the order of its text.
    pub fn with(kind: FindingKind, details: Vec<String>) -> Self {
        let setting = kind.spec().setting.map(str::to_owned);
        Self { content: FindingContent::Result(kind, details), setting }
    }

    /// The same finding with another setting to change.
    #[must_use]
    pub fn at(self, setting: impl Into<String>) -> Self {
        Self { setting: Some(setting.into()), ..self }
    }

    /// A check that depends on another one, which failed.
    pub const fn skipped(check: DoctorCheck, reason: &'static str) -> Self {
        Self { content: FindingContent::Skipped(check, reason), setting: None }
    }

    /// A check that lacks a scope, or that this machine cannot make.
    pub const fn not_checked(check: DoctorCheck, reason: &'static str) -> Self {
        Self { content: FindingContent::NotChecked(check, reason), setting: None }
    }

    /// The check that it belongs to.
    pub const fn check(&self) -> DoctorCheck {
        match self.content {
            FindingContent::Result(kind, _) => kind.spec().check,
            FindingContent::Skipped(check, _) | FindingContent::NotChecked(check, _) => check,
        }
    }

    /// The stable id: the check and the reason.
    pub fn id(&self) -> String {
        let reason = match self.content {
            FindingContent::Result(kind, _) => kind.spec().reason,
            FindingContent::Skipped(..) => "skipped",
            FindingContent::NotChecked(..) => "not_checked",
        };
        format!("{}.{reason}", self.check().name())
    }

    /// The severity. A skipped check is a warning: what it would have found is not known.
    pub const fn severity(&self) -> Severity {
        match self.content {
            FindingContent::Result(kind, _) => kind.spec().severity,
            FindingContent::Skipped(..) => Severity::Warning,
            FindingContent::NotChecked(..) => Severity::Ok,
        }
    }

    /// The setting to change, where there is one.
    pub fn setting(&self) -> Option<&str> {
        self.setting.as_deref()
    }

    /// The text.
    pub fn message(&self) -> String {
        match &self.content {
            FindingContent::Result(kind, details) => fill(kind.spec().text, details),
            FindingContent::Skipped(_, reason) => format!("skipped: {reason}"),
            FindingContent::NotChecked(_, reason) => format!("not checked: {reason}"),
        }
    }
}

/// The findings of one check, or `ok` if it has none.
pub(super) fn or_ok(mut findings: Vec<Finding>, ok: Finding) -> Vec<Finding> {
    if findings.is_empty() {
        findings.push(ok);
    }
    findings
}

/// Puts the details in place of each `{}`.
fn fill(text: &str, details: &[String]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut details = details.iter();
    for part in parts {
        filled.push_str(details.next().map(String::as_str).unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn page(name: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
    }

    #[test]
    fn every_kind_has_its_own_id_and_a_row_in_the_section_of_its_check() {
        let page = page("docs/doctor.md");
        let mut ids = HashSet::new();
        for kind in FindingKind::ALL {
            let finding = Finding::new(*kind);
            assert!(ids.insert(finding.id()), "{} twice", finding.id());
            let link = finding.check().docs();
            let (file, anchor) = link.split_once('#').unwrap();
            assert_eq!(file, "docs/doctor.md");
            let heading = format!("\n### {anchor}\n");
            let section = page.split_once(&heading).unwrap_or_else(|| panic!("{heading}")).1;
            let section = section.split("\n### ").next().unwrap();
            let cell = format!("| `{}` | {} |", finding.id(), finding.severity().name());
            assert!(section.contains(&cell), "{cell} in the section {anchor}");
        }
        let rows =
            page.lines().filter(|line| line.starts_with("| `") && line.contains('.')).count();
        assert_eq!(rows, ids.len(), "a row without a kind");
    }

    #[test]
    fn every_setting_of_a_kind_is_one() {
        let defaults = crate::config::DEFAULTS;
        for setting in FindingKind::ALL.iter().filter_map(|kind| kind.spec().setting) {
            let key = setting.rsplit('.').next().unwrap();
            let is_known = setting == "HTTPS_PROXY" || defaults.contains(&format!("\n{key} = "));
            assert!(is_known, "{setting}");
        }
    }

    #[test]
    fn details_fill_the_text_in_order() {
        assert_eq!(fill("a {} b {}", &["1".to_owned(), "2".to_owned()]), "a 1 b 2");
        assert_eq!(fill("{}", &["{}".to_owned()]), "{}");
    }
}
