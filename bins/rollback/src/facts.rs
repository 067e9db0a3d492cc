//! What the rollback gate saw: plain data, without secrets. Times are in milliseconds since the run began.

use prodtest_gate::{Redactor, Verdict};
use prodtest_image::ImageFacts;
use prodtest_rollout::{
    engine::facts::{Facts as Change, Trouble},
    identity::{Running, VersionFacts},
    probe::ProbeFacts,
};
use serde::{Deserialize, Serialize};

/// What was seen in one run. What is not there was not reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Facts {
    /// The change itself: of a drill the bad version and the way back from it, else the rollback.
    pub(crate) change: Change,
    /// Where the release goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Result<TargetSeen, Trouble>>,
    /// The version that answered before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_before: Option<VersionFacts>,
    /// The version that answers afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_after: Option<VersionFacts>,
    /// What the probe had seen when it was decided that a drill goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe_at_decision: Option<ProbeFacts>,
    /// The release's objects and pods, held against what they must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Result<StateSeen, Trouble>>,
    /// The containers that run afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) running: Vec<Running>,
    /// The smoke gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) smoke: Option<SmokeSeen>,
    /// Helm's history afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<Result<HistorySeen, Trouble>>,
}

impl Facts {
    /// The same without these secrets. The change was rid of them already.
    pub(crate) fn redacted(self, secrets: &[String]) -> Self {
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        let Self { change, .. } = self.clone();
        let own = Self { change: Change::default(), ..self };
        let redacted = serde_json::to_value(&own).map(|facts| redactor.json(facts)).and_then(serde_json::from_value);
        // A secret that is a word of the facts' own would leave none: what quotes the cluster goes then, and the rest stays.
        let own = redacted.unwrap_or_else(|_| Self {
            version_before: None,
            version_after: None,
            state: own.state.map(|state| state.map(|seen| StateSeen { differences: Vec::new(), ..seen })),
            ..own
        });
        Self { change, ..own }
    }
}

/// Where the release goes back to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct TargetSeen {
    /// The revision.
    pub(crate) revision: u32,
    /// Why that one.
    pub(crate) why: String,
    /// The version that a gate recorded of it.
    pub(crate) version: Option<String>,
    /// Where `helm rollback` would go that is not told, in words; none where Helm is not asked.
    pub(crate) helm_alone: Option<String>,
    /// Its images, as their registry has them.
    pub(crate) images: Vec<ImageFacts>,
    /// Why some were not asked about.
    pub(crate) not_asked: Vec<String>,
    /// What the registry said to a tag that cannot be there; none when it said so.
    pub(crate) control: Option<String>,
    /// The containers that run those images, by name.
    pub(crate) containers: Vec<String>,
    /// The migrations that lie between; or why that is not known. None where nobody says where they are.
    pub(crate) migrations: Option<Result<Vec<Crossed>, String>>,
}

/// A migration that a rollback goes back across.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Crossed {
    /// The name of its file.
    pub(crate) name: String,
    /// Whether its folder has the way back of it.
    pub(crate) has_way_back: bool,
}

/// The release's objects and pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct StateSeen {
    /// How many objects were compared.
    pub(crate) objects: usize,
    /// How many fields of them.
    pub(crate) fields: usize,
    /// The digests that ran before, one for each container of a workload.
    pub(crate) digests: Vec<String>,
    /// What is not as it must be.
    pub(crate) differences: Vec<String>,
    /// When it was found to be as it must be; none when it never was.
    pub(crate) at_ms: Option<u64>,
}

/// What the smoke gate said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct SmokeSeen {
    /// Its verdict; none where there was none.
    pub(crate) verdict: Option<Verdict>,
    /// How many of its checks passed.
    pub(crate) passed: usize,
    /// Its checks that failed, each with the first thing that is wrong.
    pub(crate) failed: Vec<String>,
    /// Those that could not be made.
    pub(crate) undetermined: Vec<String>,
    /// Why there is no verdict.
    pub(crate) trouble: Option<String>,
}

/// Helm's history afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct HistorySeen {
    /// The newest revision, and its status.
    pub(crate) newest: Option<(u32, String)>,
    /// Those that are pending.
    pub(crate) pending: Vec<u32>,
    /// Whether the revision that was gone back to is still there.
    pub(crate) has_target: bool,
    /// How many revisions there are.
    pub(crate) revisions: usize,
}
