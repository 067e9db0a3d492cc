//! What the deploy gate saw: plain data, without secrets. Times are in milliseconds since the run began.

use std::collections::BTreeSet;

use crate::{
    identity::{Running, VersionFacts},
    probe::{ControlRun, ProbeFacts},
    watch::{Diagnosis, RolloutFacts},
};
use prodtest_gate::{Listing, Place, Redactor};
use prodtest_image::{ImageFacts, Platform};
use serde::{Deserialize, Serialize};

/// What was seen in one run. What is not there was not reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Facts {
    /// What kept the gate from going on, if anything did that belongs to no check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted: Option<Trouble>,
    /// The image, as its registry has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSeen>,
    /// The release as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// What an earlier run left, and what was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoverySeen>,
    /// The backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Result<BackupSeen, Trouble>>,
    /// The upgrade itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeSeen>,
    /// What the cluster made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutFacts>,
    /// Why it was doomed, if it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosed>,
    /// What users saw of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeFacts>,
    /// Why no probe was sent, where the plan has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_probe: Option<String>,
    /// Whether the probe notices what it must.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probe_controls: Vec<ControlRun>,
    /// What runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Result<IdentitySeen, Trouble>>,
    /// Which version answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionFacts>,
    /// When it was decided what becomes of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_ms: Option<u64>,
    /// The way back, where one was gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
    /// A backup that was put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Result<RestoreSeen, Trouble>>,
    /// What a dry run would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// What could not be put in order at the end, such as a verdict that could not be written down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Facts {
    /// What a reader of every report is told beside.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let nothing = self.diff.iter().filter(|diff| diff.is_empty()).map(|_| "nothing would be changed".to_owned());
        let resort = self.way_back.as_ref().and_then(|way| way.resort.as_ref());
        let resort = resort.map(|resort| format!("the release is back where it was: {resort}"));
        nothing.chain(resort).chain(self.remarks.iter().cloned()).collect()
    }

    /// What a dry run would change, to be shown as it is.
    #[must_use]
    pub fn listings(&self) -> Vec<Listing> {
        let diff = self.diff.iter().filter(|diff| !diff.is_empty());
        diff.map(|diff| Listing { title: "what would be changed".to_owned(), text: diff.clone() }).collect()
    }

    /// The same without these secrets: what comes from a cluster is written by strangers.
    pub fn redacted(self, secrets: &[&str]) -> Self {
        let without = |facts: &Self, secrets: &[&str]| {
            let redactor = Redactor::new(secrets.iter().copied());
            serde_json::to_value(facts).map(|facts| redactor.json(facts)).and_then(serde_json::from_value::<Self>).ok()
        };
        without(&self, secrets).unwrap_or_else(|| {
            // One of them is a word of the facts' own, which would leave none: the others go all the same, the longest
            // first, for one may begin another.
            let mut ordered = secrets.to_vec();
            ordered.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
            ordered.into_iter().fold(self, |facts, secret| without(&facts, &[secret]).unwrap_or(facts))
        })
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trouble {
    /// What, in one line.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether it is an answer, so that the check failed; or else no answer, so that it is undetermined.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
    /// Which rule of the check it breaks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
}

impl Trouble {
    /// No answer.
    pub fn unmeasured(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint, ..Self::default() }
    }

    /// An answer, and a bad one.
    pub fn measured(rule: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint, measured: true, rule: rule.to_owned() }
    }
}

/// The image, as its registry has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageSeen {
    /// What the registry said; none when the build failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<ImageFacts>,
    /// Why it could not be built, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Trouble>,
    /// What the registry said to a tag that cannot be there; none when it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// The platforms that it must be for.
    pub platforms: Vec<Platform>,
    /// Why those are not known, if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_platforms: Option<Trouble>,
}

/// The release as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Before {
    /// The newest revision; none for a first install.
    pub revision: Option<u32>,
    /// The revision that is about to be made.
    #[serde(default)]
    pub next: u32,
    /// The revision to go back to, and why that one.
    pub good: Option<(u32, String)>,
}

/// A backup that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupSeen {
    /// Its name.
    pub name: String,
    /// Where it is, in words.
    pub place: String,
    /// How many objects are in it.
    pub objects: usize,
    /// Objects that the release says it has and the cluster has not.
    pub missing: Vec<String>,
}

/// The upgrade itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpgradeSeen {
    /// With what: `helm v4.3.1`.
    pub by: String,
    /// When it was started; none where it was refused before.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// The revision that it made.
    pub revision: Option<u32>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Where that is thought to come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Whether it was a hook that kept it from its end: the dooms are then of the hook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
}

/// Why a rollout was doomed, and where that can be mended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diagnosed {
    /// What was found out.
    pub diagnosis: Diagnosis,
    /// The line that it traces to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is on that line, `image.tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
}

/// What runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IdentitySeen {
    /// The digests that are right.
    pub digests: BTreeSet<String>,
    /// The containers that run the image, by name.
    pub containers: BTreeSet<String>,
    /// The containers of ready pods.
    pub running: Vec<Running>,
}

/// The way back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WayBack {
    /// To which revision; none: the release was taken away, for there was none before.
    pub to: Option<u32>,
    /// When it began.
    pub started_ms: u64,
    /// When service and state were as before, or when it was given up.
    pub ended_ms: u64,
    /// What kept it from its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What it took in the end, where Helm did not go back when it was told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resort: Option<String>,
    /// What the cluster made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutFacts>,
    /// The revision that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The release's status afterwards.
    pub status: Option<String>,
    /// What is not as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

/// What an earlier run left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecoverySeen {
    /// What was found, in words.
    pub found: String,
    /// What was done about it, in words; nothing where nothing was to be done.
    pub done: Option<String>,
    /// Why nothing could be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What runs of it, where it was left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutFacts>,
}

/// A backup that was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RestoreSeen {
    /// Its name.
    pub name: String,
    /// How many objects were put back.
    pub objects: usize,
    /// What could not be put back, and what is not as it was.
    pub differences: Vec<String>,
}
