//! What all checks look at: the cluster, the release, and what is to be deployed as it.

use std::path::PathBuf;

use prodtest_cli::{ClusterTarget, Input, Refusal};
use prodtest_config::{Image, files};
use prodtest_gate::Place;
use serde::{Deserialize, Serialize};

use crate::{flags::Flags, section::Section};

/// What all checks look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Site {
    /// The cluster and the namespace.
    pub(crate) cluster: ClusterTarget,
    /// The release.
    pub(crate) release: String,
    /// The chart; none where manifests are deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chart: Option<ChartSite>,
    /// The manifests; none where a chart is deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) manifests: Vec<PathBuf>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ImageSite>,
    /// The version that is to be deployed, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// The `helm` program; the first in `PATH` where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) helm: Option<PathBuf>,
    /// Where in the configuration the namespace is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
}

/// The chart and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ChartSite {
    /// Its folder or archive.
    pub(crate) path: PathBuf,
    /// Values files, the later over the earlier.
    pub(crate) values: Vec<PathBuf>,
    /// Where in the configuration it is.
    pub(crate) place: Place,
}

/// The image that is to be deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImageSite {
    /// Registry and name.
    pub(crate) repository: String,
    /// Its tag, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// The values of the chart that take the repository, the tag and the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_key: Option<String>,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<(String, u16)>,
    /// The authorities to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Whether the registry speaks plain HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain_http: bool,
    /// The platforms that it must be for; those of the nodes, where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) platforms: Vec<String>,
    /// Where in the configuration it is.
    pub(crate) place: Place,
}

impl Site {
    /// As configuration and flags have it.
    ///
    /// # Errors
    /// When namespace or release are not said.
    pub(crate) fn new(input: &Input<'_, Flags>, section: &Section) -> Result<Self, Refusal> {
        let (environment, flags) = (&input.config.environment, input.flags);
        let cluster = ClusterTarget::new(&flags.cluster, None, environment);
        let release = cluster.release(flags.release.as_ref(), input.config)?;
        let chart = environment.chart.as_ref().map(|chart| ChartSite {
            path: chart.path.value.0.clone(),
            values: chart.values.iter().map(|file| file.value.0.clone()).chain(flags.values.iter().cloned()).collect(),
            place: chart.path.place.clone(),
        });
        let version = input
            .common
            .expect_version
            .clone()
            .or_else(|| flags.tag.clone())
            .or_else(|| environment.version.as_ref().map(|version| version.value.clone()));
        Ok(Self {
            cluster,
            release,
            chart,
            manifests: files(&environment.manifests).map_err(|error| input.config.explain(error))?,
            image: environment.image.as_ref().map(|image| ImageSite::new(image, flags)),
            version,
            helm: flags.helm.clone().or_else(|| section.helm.as_ref().map(|helm| helm.value.0.clone())),
            place: environment.kubernetes.as_ref().map(|cluster| cluster.namespace.place.clone()),
        })
    }

    /// The namespace; a plan is refused without one.
    pub(crate) fn namespace(&self) -> &str {
        self.cluster.namespace.as_deref().unwrap_or_default()
    }
}

impl ImageSite {
    fn new(image: &Image, flags: &Flags) -> Self {
        let key = |key: &Option<prodtest_config::Located<prodtest_config::ValuesKey>>| {
            key.as_ref().map(|key| key.value.to_string())
        };
        let connect = flags.registry_connect.as_ref().or(image.connect.as_ref().map(|connect| &connect.value));
        Self {
            repository: flags.repository.clone().unwrap_or_else(|| image.repository.value.clone()),
            tag: flags.tag.clone().or_else(|| image.tag.as_ref().map(|tag| tag.value.clone())),
            repository_key: key(&image.repository_key),
            tag_key: key(&image.tag_key),
            version_key: key(&image.version_key),
            connect: connect.map(|connect| (connect.host.clone(), connect.port)),
            ca: image.ca.as_ref().map(|ca| ca.value.0.clone()),
            plain_http: image.plain_http,
            platforms: image.platforms.clone(),
            place: image.repository.place.clone(),
        }
    }
}
