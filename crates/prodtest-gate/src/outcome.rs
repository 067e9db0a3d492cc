//! What came of a check, and of a gate.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Measured, and good.
    Passed,
    /// Measured, and bad.
    Failed,
    /// Could not be measured; blocks as a failure does.
    Undetermined,
    /// Does not apply here, for a reason that is always given.
    Skipped,
}

impl Outcome {
    /// The word used in every report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undetermined => "undetermined",
            Self::Skipped => "skipped",
        }
    }

    /// Whether a gate with this outcome among its checks must not be green.
    #[must_use]
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Failed | Self::Undetermined)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a gate answers to its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At least one check passed, none failed, none is undetermined.
    Passed,
    /// At least one check failed.
    Failed,
    /// Nothing failed, but something, or everything, could not be measured.
    Undetermined,
}

impl Verdict {
    /// The word used in every report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undetermined => "undetermined",
        }
    }

    /// The exit code of the gate: the code is the gate, whatever the output format.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Undetermined => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
