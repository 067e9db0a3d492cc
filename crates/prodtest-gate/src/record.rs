//! The run record: the gate's JSON, from which every other report is made.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Check, CheckId, Control, Evidence, Finding, Outcome, Pardon, Quantity, Series, Verdict};

/// The version of the record's own shape. A reader refuses one that it does not know.
pub const SCHEMA_VERSION: u32 = 1;

/// What one gate did, saw and concluded in one run. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RunRecord {
    /// The version of this shape.
    pub schema_version: u32,
    /// The gate's name.
    pub gate: String,
    /// The question it answers.
    pub question: String,
    /// The version of the gate's binary.
    pub tool_version: String,
    /// The service under test.
    pub service: String,
    /// The target's name in the configuration.
    pub environment: String,
    /// The commit of the user's repository, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The digest of the image under test, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What the gate answers.
    pub verdict: Verdict,
    /// Why the run ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Each check, in the order of the plan.
    pub checks: Vec<CheckRecord>,
    /// Everything that is wrong, in the order of the checks.
    pub findings: Vec<Finding>,
    /// The proof that the instruments can fail.
    pub controls: Vec<Control>,
    /// The main figures.
    pub figures: Vec<Figure>,
    /// Remarks that change no verdict: a waiver that excused nothing, a report that could not be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Texts of several lines that are shown as they are: what a dry run would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<Listing>,
    /// What excuses what, as configured for this run.
    #[serde(default)]
    pub pardons: crate::Pardons,
    /// The effective plan.
    pub plan: serde_json::Value,
    /// What was seen.
    pub facts: serde_json::Value,
}

impl RunRecord {
    /// How many checks have this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }

    /// The findings of one check.
    pub fn findings_of<'a>(&'a self, id: &'a CheckId) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.check == *id)
    }

    /// The findings that count towards the verdict, worst first; equals stay in the order of the checks.
    #[must_use]
    pub fn counting_findings(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().filter(|finding| finding.pardon.is_none()).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// The check of that id.
    #[must_use]
    pub fn check(&self, id: &CheckId) -> Option<&CheckRecord> {
        self.checks.iter().find(|check| check.check.id == *id)
    }
}

/// One check: what was declared and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct CheckRecord {
    /// What was declared.
    #[serde(flatten)]
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it is undetermined or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pardon: Option<Pardon>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What was measured many times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Series>,
    /// How long the observation took, in milliseconds.
    pub duration_ms: f64,
}

impl CheckRecord {
    /// Whether it keeps the gate from being green.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        self.outcome.blocks() && self.pardon.is_none()
    }
}

/// A text of several lines, such as a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// What it is.
    pub title: String,
    /// Its lines.
    pub text: String,
}

/// A main figure of a gate: an output of its action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// Its name, an identifier in kebab case, `slowest-ms`.
    pub name: String,
    /// Its value.
    pub value: Quantity,
}
