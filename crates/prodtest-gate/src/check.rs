//! What a gate declares before it looks: its checks and their limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Place};

/// How much a finding matters to a reader. It never decides a verdict: outcomes do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth mending soon.
    Medium,
    /// A user notices.
    #[default]
    High,
    /// Users lose work or data, or see what is not theirs.
    Critical,
}

impl Severity {
    /// The word used in every report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A number or word that a check holds an observation against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// What is limited, `within`.
    pub name: String,
    /// The limit with its unit, `2 s`.
    pub value: String,
}

/// One check as declared: what will be looked at, and what it leans on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The stable id.
    pub id: CheckId,
    /// One line: what is true when it passes.
    pub title: String,
    /// Why a user cares: what goes wrong for them when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// How much its failure matters.
    #[serde(default)]
    pub severity: Severity,
    /// Checks whose failure explains this one's: it becomes undetermined then, and names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<CheckId>,
    /// The limits it judges by, for `--list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Words to select it by, `--only tag:writes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The user's own requirement ids that it proves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// Where it is declared, for findings that have no nearer place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Why the user's selection leaves it out; it is reported as skipped with this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl Check {
    /// A check with an id and a title, of high severity, leaning on nothing.
    #[must_use]
    pub fn new(id: CheckId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            why: None,
            help: None,
            severity: Severity::default(),
            needs: Vec::new(),
            limits: Vec::new(),
            tags: Vec::new(),
            requirements: Vec::new(),
            place: None,
            left_out: None,
        }
    }
}
