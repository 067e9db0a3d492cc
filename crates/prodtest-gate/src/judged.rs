//! What judging one check gives.

use crate::{CheckId, Evidence, Finding, Outcome, Series};

/// The judgement of one check, before the rules that hold between checks (`settle`).
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Which check.
    pub id: CheckId,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it is undetermined or skipped.
    pub reason: Option<String>,
    /// What was measured.
    pub evidence: Vec<Evidence>,
    /// What was measured many times.
    pub series: Vec<Series>,
    /// What is wrong; at least one when it failed.
    pub findings: Vec<Finding>,
    /// How long the observation took, in milliseconds.
    pub duration_ms: f64,
}

impl Judged {
    /// Passed when there are no findings, failed when there are.
    #[must_use]
    pub fn by_findings(id: CheckId, findings: Vec<Finding>) -> Self {
        let outcome = if findings.is_empty() { Outcome::Passed } else { Outcome::Failed };
        Self { outcome, findings, ..Self::bare(id, outcome) }
    }

    /// Could not be measured, and why.
    #[must_use]
    pub fn undetermined(id: CheckId, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::bare(id, Outcome::Undetermined) }
    }

    /// Does not apply, and why.
    #[must_use]
    pub fn skipped(id: CheckId, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::bare(id, Outcome::Skipped) }
    }

    const fn bare(id: CheckId, outcome: Outcome) -> Self {
        Self {
            id,
            outcome,
            reason: None,
            evidence: Vec::new(),
            series: Vec::new(),
            findings: Vec::new(),
            duration_ms: 0.0,
        }
    }
}
