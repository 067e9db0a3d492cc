//! Where a service runs: the cluster, and the namespace in it.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{FilePath, Located, ReleaseName};

/// A label of RFC 1123, as a pattern.
pub(crate) const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// A name of RFC 1123, as a pattern.
pub(crate) const SUBDOMAIN: &str = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";

/// The cluster that an environment is in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Kubernetes {
    /// The namespace that the service runs in.
    pub namespace: Located<Namespace>,
    /// The release of Helm, or the name that a set of manifests goes by.
    pub release: Option<Located<ReleaseName>>,
    /// The context of the kubeconfig; its current one when left out.
    pub context: Option<Located<String>>,
    /// The kubeconfig. When left out, that of kubectl: what `KUBECONFIG` names, else `~/.kube/config`, else the service
    /// account of the pod that the gate runs in.
    pub kubeconfig: Option<Located<FilePath>>,
}

/// The name of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Namespace(String);

/// Why a text is no name of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a namespace\nhint: lower-case letters, digits and `-`, at most 63")]
pub struct InvalidNamespace(String);

impl Namespace {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidNamespace> {
        if is_label(text) { Ok(Self(text.to_owned())) } else { Err(InvalidNamespace(text.to_owned())) }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Namespace {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Namespace".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": LABEL, "maxLength": 63, "examples": ["shop-staging"] })
    }
}

/// Whether Kubernetes takes it for the name of a namespace: a label of RFC 1123.
pub(crate) fn is_label(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= 63 && is_bounded(text) && text.bytes().all(is_inner)
}

/// Whether Kubernetes takes it for the name of an object: labels of RFC 1123 with dots between them. Only the whole
/// has a length.
pub(crate) fn is_subdomain(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= 253 && text.split('.').all(|part| is_bounded(part) && part.bytes().all(is_inner))
}

/// Whether it begins and ends with something else than a hyphen.
fn is_bounded(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        for good in ["a", "godel-staging", "0-9"] {
            assert!(is_label(good) && is_subdomain(good), "{good}");
        }
        assert!(is_subdomain("godel.api-key.v1") && !is_label("godel.api-key.v1"));
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a.", "é", "a b"] {
            assert!(!is_label(bad) && !is_subdomain(bad), "{bad}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
    }
}
