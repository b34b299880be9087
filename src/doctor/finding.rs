//! What the doctor says.

use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing need be done.
    Info,
    /// Something is not seen, or will go wrong some day.
    Warning,
    /// Attacks pass unseen or unreported until this is put right.
    Bad,
}

impl Severity {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Its name, `area.what`, which never changes its meaning.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What helps; empty where nothing has to be done.
    pub remedy: String,
}

impl Finding {
    /// All is well with it.
    pub(super) fn ok(id: &'static str, message: impl Into<String>) -> Self {
        Self { id, severity: Severity::Ok, message: message.into(), remedy: String::new() }
    }

    /// Worth knowing.
    pub(super) fn info(id: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, severity: Severity::Info, message: message.into(), remedy: remedy.into() }
    }

    /// Something is not seen.
    pub(super) fn warning(id: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::info(id, message, remedy) }
    }

    /// Attacks pass.
    pub(super) fn bad(id: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Bad, ..Self::info(id, message, remedy) }
    }
}

/// All findings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// In the order of the areas.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The most that any finding matters.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The report as one JSON document (`docs/schema/doctor.schema.json`).
    #[must_use]
    pub fn json(&self) -> String {
        let document = serde_json::json!({
            "schema": "picket.doctor/1",
            "version": env!("CARGO_PKG_VERSION"),
            "worst": self.worst(),
            "findings": self.findings,
        });
        format!("{document:#}\n")
    }
}

impl fmt::Display for Report {
    /// For people: a line for each finding, and its remedy below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let Finding { id, severity, message, remedy } = finding;
            writeln!(f, "{:<8} {id:<22} {message}", severity.name())?;
            if !remedy.is_empty() {
                writeln!(f, "{:<31} -> {remedy}", "")?;
            }
        }
        let count = |wanted| self.findings.iter().filter(|finding| finding.severity == wanted).count();
        writeln!(f, "{} bad, {} warnings", count(Severity::Bad), count(Severity::Warning))
    }
}
