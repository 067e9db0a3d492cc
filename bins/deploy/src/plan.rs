//! What the deploy gate will do in this run, with everything resolved but the secrets.

use std::{path::PathBuf, time::Duration};

use prodtest_cli::ClusterTarget;
use prodtest_config::{BaseUrl, Located, Period, SecretRef};
use prodtest_gate::Place;
use prodtest_rollout::{helm::ValuesMode, watch::Patience};
use serde::{Deserialize, Serialize};

use crate::section::OnFailure;

/// How long the gate's own steps may take beside the rollout and the way back: the registry, Helm, the backup, the last
/// of the old pods.
const STEPS: Duration = Duration::from_secs(300);

/// The plan of one run; kept in the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// What is done.
    pub(crate) action: Action,
    /// The cluster.
    pub(crate) cluster: ClusterTarget,
    /// The release.
    pub(crate) release: String,
    /// What is deployed, or what the run deployed that is recovered from; none where that does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) what: Option<What>,
    /// The image; none where the chart alone says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ImagePlan>,
    /// The version that must answer, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// What becomes of a release that did not land.
    pub(crate) on_failure: OnFailure,
    /// Where the backup goes; into the namespace when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// The `helm` program; the first in `PATH` when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) helm: Option<PathBuf>,
    /// What becomes of the values of earlier revisions.
    pub(crate) values_mode: ValuesMode,
    /// How long the rollout may take.
    pub(crate) timeout: Period,
    /// How long the way back may take.
    pub(crate) rollback_timeout: Period,
    /// How long a hook may take.
    pub(crate) hook_timeout: Period,
    /// How long evidence that may pass is given.
    pub(crate) patience: Patience,
    /// The steady probe; none where the environment has no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<ProbePlan>,
    /// Where the service says which version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_at: Option<VersionAt>,
    /// The checks that the selection leaves out, by name, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<(String, String)>,
    /// Where the configuration names what findings without a nearer place are about.
    pub(crate) places: Places,
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

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// A Helm chart, with values files; the last one wins.
    Chart {
        /// Its folder or archive.
        path: PathBuf,
        /// The values files.
        values: Vec<PathBuf>,
    },
    /// Manifests, applied by the server.
    Manifests(Vec<PathBuf>),
}

/// The image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImagePlan {
    /// Registry and name.
    pub(crate) repository: String,
    /// The tag; none where the digest was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// The digest, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Whether the registry is asked, and the digest deployed.
    pub(crate) pin: bool,
    /// Whether what was tagged differs from what was committed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dirty: bool,
    /// What it is built from, if it is: the folder and the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<(PathBuf, Option<PathBuf>)>,
    /// The values that take the repository, the digest, the tag and the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_key: Option<String>,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<(String, u16)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Whether the registry speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain_http: bool,
    /// The platforms that it must be for; those of the nodes where nobody says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) platforms: Vec<String>,
    /// Who asks: user and password by reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<(Located<SecretRef>, Located<SecretRef>)>,
    /// Docker's configuration, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) docker_config: Option<PathBuf>,
}

/// The steady probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ProbePlan {
    /// Where the service is.
    pub(crate) url: BaseUrl,
    /// What is asked for.
    pub(crate) path: String,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<(String, u16)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Requests a second.
    pub(crate) rate: u32,
    /// The status that is right.
    pub(crate) status: u16,
    /// How long an answer may take.
    pub(crate) timeout: Period,
    /// How many may fail.
    pub(crate) max_failed: u32,
    /// The longest time without a good answer, if it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_gap: Option<Period>,
}

/// Where the service says which version it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct VersionAt {
    /// What is asked for.
    pub(crate) path: String,
    /// Where in the JSON of the answer it is.
    pub(crate) field: String,
}

/// Where in the configuration things are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Places {
    /// The image's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Place>,
    /// The chart's path, or the first of the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chart: Option<Place>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Place>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<Place>,
}

impl Plan {
    /// The namespace; the plan is refused without one.
    pub(crate) fn namespace(&self) -> &str {
        self.cluster.namespace.as_deref().unwrap_or_default()
    }

    /// How long the whole may take when nobody says.
    pub(crate) fn whole(&self) -> Duration {
        self.timeout.0 + self.rollback_timeout.0 + self.hook_timeout.0 + STEPS
    }

    /// Why the selection leaves out the check of this name, if it does.
    pub(crate) fn left_out(&self, name: &str) -> Option<&str> {
        self.left_out.iter().find(|(known, _)| known == name).map(|(_, why)| why.as_str())
    }
}
