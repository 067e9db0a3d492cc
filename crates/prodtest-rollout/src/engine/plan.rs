//! How a release is changed in a run, with everything resolved but the secrets.

use std::{path::PathBuf, time::Duration};

use prodtest_cli::ClusterTarget;
use prodtest_config::{BaseUrl, Located, Period, SecretRef};
use prodtest_gate::Place;
use serde::{Deserialize, Serialize};

use crate::{helm::ValuesMode, journal::OnFailure, watch::Patience};

/// How long the gate's own steps may take beside the rollout and the way back: the registry, Helm, the backup, the last
/// of the old pods.
const STEPS: Duration = Duration::from_secs(300);

/// How a release is changed in a run; kept in the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The cluster.
    pub cluster: ClusterTarget,
    /// The release.
    pub release: String,
    /// What is deployed, or what the run deployed that is recovered from; none where that does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<What>,
    /// The image; none where the chart alone says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePlan>,
    /// The version that must answer, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What becomes of a release that did not land.
    pub on_failure: OnFailure,
    /// Where the backup goes; into the namespace when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_dir: Option<PathBuf>,
    /// The `helm` program; the first in `PATH` when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<PathBuf>,
    /// What becomes of the values of earlier revisions.
    pub values_mode: ValuesMode,
    /// The folder with the migrations of the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<PathBuf>,
    /// How long the rollout may take.
    pub timeout: Period,
    /// How long the way back may take.
    pub rollback_timeout: Period,
    /// How long a hook may take.
    pub hook_timeout: Period,
    /// How long evidence that may pass is given.
    pub patience: Patience,
    /// The steady probe; none where the environment has no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbePlan>,
    /// Where the service says which version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_at: Option<VersionAt>,
    /// Where the configuration names what findings without a nearer place are about.
    pub places: Places,
}

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
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
pub struct ImagePlan {
    /// Registry and name.
    pub repository: String,
    /// The tag; none where the digest was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether the registry is asked, and the digest deployed.
    pub pin: bool,
    /// Whether what was tagged differs from what was committed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
    /// What it is built from, if it is: the folder and the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<(PathBuf, Option<PathBuf>)>,
    /// The value that takes the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_key: Option<String>,
    /// The value that takes the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_key: Option<String>,
    /// The value that takes the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_key: Option<String>,
    /// The value that takes the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_key: Option<String>,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<(String, u16)>,
    /// The certificate authority to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether the registry speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
    /// The platforms that it must be for; those of the nodes where nobody says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Who asks: user and password by reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<(Located<SecretRef>, Located<SecretRef>)>,
    /// Docker's configuration, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_config: Option<PathBuf>,
}

/// The steady probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbePlan {
    /// Where the service is.
    pub url: BaseUrl,
    /// What is asked for.
    pub path: String,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<(String, u16)>,
    /// The certificate authority to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Requests a second.
    pub rate: u32,
    /// The status that is right.
    pub status: u16,
    /// How long an answer may take.
    pub timeout: Period,
    /// How many may fail.
    pub max_failed: u32,
    /// The longest time without a good answer, if it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gap: Option<Period>,
}

/// Where the service says which version it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionAt {
    /// What is asked for.
    pub path: String,
    /// Where in the JSON of the answer it is.
    pub field: String,
}

/// Where in the configuration things are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Places {
    /// The image's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Place>,
    /// The chart's path, or the first of the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Place>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Place>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Place>,
}

impl Plan {
    /// The namespace; the plan is refused without one.
    pub fn namespace(&self) -> &str {
        self.cluster.namespace.as_deref().unwrap_or_default()
    }

    /// How long the whole may take when nobody says.
    pub fn whole(&self) -> Duration {
        self.timeout.0 + self.rollback_timeout.0 + self.hook_timeout.0 + STEPS
    }
}
