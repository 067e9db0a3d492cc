//! What `prodtest.yaml` says of an environment.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{BaseUrl, Chart, FilePath, HeaderName, HostPort, Image, Kubernetes, Located, SecretRef};

/// The gates that may have a section, in the order of a pipeline.
pub const GATES: [&str; 10] =
    ["precheck", "deploy", "verify", "smoke", "perf", "scan", "rollback", "monitor", "resilience", "release"];

/// The keys that an environment has, and the top of the file too: what is there goes for all environments.
pub(crate) const SHARED_WITH_TOP: [&str; 1] = ["image"];

/// The name of the identity that `auth` describes.
pub const DEFAULT_IDENTITY: &str = "default";

/// An environment that a release is judged in. Sections of gates in it are laid over the top-level ones.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Environment {
    /// Where the service is.
    pub url: Option<Located<BaseUrl>>,
    /// The version that is deployed there; `--expect-version` says otherwise.
    pub version: Option<Located<String>>,
    /// Whether a gate that changes something there needs `--confirm VERSION`.
    #[serde(default)]
    pub protected: bool,
    /// How its certificate is looked at.
    #[serde(default)]
    pub tls: Tls,
    /// Connect there instead of to the host and port of `url`, as `curl --connect-to` does.
    pub connect: Option<Located<HostPort>>,
    /// The cluster that it is in.
    pub kubernetes: Option<Kubernetes>,
    /// The Helm chart that is deployed there.
    pub chart: Option<Chart>,
    /// The manifests that are deployed there instead of a chart: files, or patterns of such.
    #[serde(default)]
    pub manifests: Vec<Located<FilePath>>,
    /// The image that runs there, laid over the one at the top.
    pub image: Option<Image>,
    /// Who asks when a check says nothing else: the identity called `default`.
    pub auth: Option<Located<Identity>>,
    /// More who ask, by name.
    #[serde(default)]
    pub identities: BTreeMap<String, Located<Identity>>,
}

impl Environment {
    /// The identity of that name.
    #[must_use]
    pub fn identity(&self, name: &str) -> Option<&Located<Identity>> {
        if name == DEFAULT_IDENTITY { self.auth.as_ref() } else { self.identities.get(name) }
    }

    /// Names of all identities, `default` first.
    pub fn identity_names(&self) -> impl Iterator<Item = &str> {
        let default = self.auth.iter().map(|_| DEFAULT_IDENTITY);
        default.chain(self.identities.keys().map(String::as_str))
    }
}

/// How the certificate of an environment is looked at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Tls {
    /// The authorities to trust instead of those of the system, in PEM.
    pub ca: Option<Located<FilePath>>,
    /// How many days the certificate must still last.
    pub min_days: u32,
}

impl Default for Tls {
    fn default() -> Self {
        Self { ca: None, min_days: 14 }
    }
}

/// Who asks: a header with a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Identity {
    /// The header that carries the secret.
    pub header: HeaderName,
    /// Where the secret is.
    // Not `value` here too, which is what every `Located` has.
    #[serde(rename = "value")]
    pub secret: Located<SecretRef>,
    /// Where the secret is not set, checks that need it are skipped, and say so.
    #[serde(default)]
    pub optional: bool,
}
