//! What the deploy gate will do in this run, with everything resolved but the secrets.

use prodtest_rollout::engine::plan;
use serde::{Deserialize, Serialize};

/// The plan of one run; kept in the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// What is done.
    pub(crate) action: Action,
    /// With what, and within which limits.
    #[serde(flatten)]
    pub(crate) change: plan::Plan,
    /// The checks that the selection leaves out, by name, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<(String, String)>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// A version is deployed.
    Deploy,
    /// It is only shown what would be changed.
    DryRun,
    /// What a run that did not come to its end has changed is put back.
    Recover,
    /// A backup is put back: the newest of the namespace, or this one.
    Restore(Option<String>),
}

impl Plan {
    /// Why the selection leaves out the check of this name, if it does.
    pub(crate) fn left_out(&self, name: &str) -> Option<&str> {
        self.left_out.iter().find(|(known, _)| known == name).map(|(_, why)| why.as_str())
    }
}
