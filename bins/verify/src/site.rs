//! What all checks look at: the cluster, the release in it, and where users find it.

use std::path::PathBuf;

use prodtest_cli::{ClusterTarget, Input, Refusal};
use prodtest_config::{BaseUrl, files};
use prodtest_gate::Place;
use serde::{Deserialize, Serialize};

use crate::flags::Flags;

/// What all checks look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Site {
    /// The cluster and the namespace.
    pub(crate) cluster: ClusterTarget,
    /// The release.
    pub(crate) release: String,
    /// The manifests that it is made of, where it is not one of Helm's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) manifests: Vec<PathBuf>,
    /// Where users find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<BaseUrl>,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<(String, u16)>,
    /// The authorities to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Where in the configuration the namespace is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
    /// Where in the configuration the address is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url_place: Option<Place>,
}

impl Site {
    /// As configuration and flags have it.
    ///
    /// # Errors
    /// When namespace or release are not said.
    pub(crate) fn new(input: &Input<'_, Flags>) -> Result<Self, Refusal> {
        let (environment, flags) = (&input.config.environment, input.flags);
        let cluster = ClusterTarget::new(&flags.cluster, None, environment);
        let release = cluster.release(flags.release.as_ref(), input.config)?;
        let connect = flags.connect.as_ref().or(environment.connect.as_ref().map(|connect| &connect.value));
        Ok(Self {
            cluster,
            release,
            manifests: files(&environment.manifests).map_err(|error| input.config.explain(error))?,
            url: flags.url.clone().or_else(|| environment.url.as_ref().map(|url| url.value.clone())),
            connect: connect.map(|connect| (connect.host.clone(), connect.port)),
            ca: flags.ca.clone().or_else(|| environment.tls.ca.as_ref().map(|ca| ca.value.0.clone())),
            place: environment.kubernetes.as_ref().map(|cluster| cluster.namespace.place.clone()),
            url_place: environment.url.as_ref().map(|url| url.place.clone()),
        })
    }

    /// The namespace; a plan is refused without one.
    pub(crate) fn namespace(&self) -> &str {
        self.cluster.namespace.as_deref().unwrap_or_default()
    }
}
