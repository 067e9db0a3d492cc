//! The gate's proof, in the same run, that its instrument can fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CheckId;

/// A measurement that must come out bad. One that does not makes the checks that lean on it undetermined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// What was tried, `a status of 500 where 200 is asked for`.
    pub name: String,
    /// Whether the instrument noticed, as it must.
    pub tripped: bool,
    /// What it noticed, or why it could not be tried.
    pub detail: String,
    /// The checks whose instrument it proves; empty means all of the gate's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proves: Vec<CheckId>,
}
