//! What is deployed: the chart or the manifests, and the image.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{FilePath, HostPort, Located, SecretRef, kubernetes::is_label};

/// A Helm chart, and the values files of an environment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chart {
    /// Its folder or archive.
    pub path: Located<FilePath>,
    /// Values files, the last one wins.
    #[serde(default)]
    pub values: Vec<Located<FilePath>>,
}

/// The image that a release runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// Where it is: registry and name, without a tag.
    pub repository: Located<String>,
    /// The tag that is deployed; what `git describe` says when left out, and `--tag` says otherwise.
    pub tag: Option<Located<String>>,
    /// The folder that it is built from, with `--build`.
    pub build: Option<Located<FilePath>>,
    /// The Dockerfile, where it is not in that folder.
    pub dockerfile: Option<Located<FilePath>>,
    /// The value of the chart that takes the repository, `image.repository`, where its values name another.
    pub repository_key: Option<Located<ValuesKey>>,
    /// The value of the chart that takes the digest, `image.digest`.
    pub values_key: Option<Located<ValuesKey>>,
    /// The value of the chart that takes the tag, `image.tag`, for `--no-pin`.
    pub tag_key: Option<Located<ValuesKey>>,
    /// The value of the chart that takes the version, for a chart that wants to be told.
    pub version_key: Option<Located<ValuesKey>>,
    /// Who asks the registry; the login of Docker's configuration when left out.
    pub login: Option<Login>,
    /// Docker's configuration; when left out, what `DOCKER_CONFIG` names, else `~/.docker/config.json`.
    pub docker_config: Option<Located<FilePath>>,
    /// Connect there instead of to the registry's own host and port, as `curl --connect-to` does.
    pub connect: Option<Located<HostPort>>,
    /// The authorities to trust instead of those of the system, in PEM.
    pub ca: Option<Located<FilePath>>,
    /// The platforms that it must be for, `linux/amd64`; those of the nodes when left out.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// Whether the registry speaks plain HTTP, as one beside a test cluster may.
    #[serde(default)]
    pub plain_http: bool,
}

/// Who asks a registry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Login {
    /// The user's name.
    pub user: Located<SecretRef>,
    /// The password or token.
    pub password: Located<SecretRef>,
}

/// The name of a release, as Helm takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReleaseName(String);

/// Why a text is no name of a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a release\nhint: lower-case letters, digits and `-`, at most 53")]
pub struct InvalidReleaseName(String);

/// Helm's own limit: some names that charts make of it have ten characters more, and Kubernetes' limit is 63.
const LONGEST_RELEASE: usize = 53;

impl ReleaseName {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = InvalidReleaseName;

    fn from_str(text: &str) -> Result<Self, InvalidReleaseName> {
        if text.len() <= LONGEST_RELEASE && is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidReleaseName(text.to_owned()))
        }
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for ReleaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ReleaseName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ReleaseName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = crate::kubernetes::LABEL;
        json_schema!({ "type": "string", "pattern": pattern, "maxLength": LONGEST_RELEASE, "examples": ["shop"] })
    }
}

/// The path of a value in a chart's values, `image.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ValuesKey(String);

/// Why a text is no path of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the path of a value\nhint: names with dots between them, as in `image.digest`")]
pub struct InvalidValuesKey(String);

impl ValuesKey {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names, from the outside in.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }
}

impl FromStr for ValuesKey {
    type Err = InvalidValuesKey;

    fn from_str(text: &str) -> Result<Self, InvalidValuesKey> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if text.split('.').all(is_name) { Ok(Self(text.to_owned())) } else { Err(InvalidValuesKey(text.to_owned())) }
    }
}

impl fmt::Display for ValuesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for ValuesKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ValuesKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ValuesKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            "examples": ["image.digest"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_as_helm_takes_it() {
        for good in ["godel", "godel-staging", "a", &"a".repeat(53)] {
            assert!(good.parse::<ReleaseName>().is_ok(), "{good}");
        }
        for bad in ["", "Godel", "a_b", "-a", "a.b", &"a".repeat(54)] {
            assert!(bad.parse::<ReleaseName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_is_found_by_names_with_dots() {
        let key: ValuesKey = "global.image.digest".parse().unwrap();
        assert_eq!(key.names().collect::<Vec<_>>(), ["global", "image", "digest"]);
        for bad in ["", ".", "image.", ".digest", "image..digest", "images[0].tag", "a b"] {
            assert!(bad.parse::<ValuesKey>().is_err(), "{bad}");
        }
    }
}
