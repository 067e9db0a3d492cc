//! What an object calls itself, and the order in which objects are put in. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    /// Its API group and version, `apps/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// It is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object has no `{0}`")]
pub struct NoObject(pub &'static str);

impl Reference {
    /// What an object calls itself.
    ///
    /// # Errors
    /// When it does not say what it is.
    pub fn of(object: &Value) -> Result<Self, NoObject> {
        let word = |pointer: &'static str, name| {
            let word = object.pointer(pointer).and_then(Value::as_str).filter(|word| !word.is_empty());
            word.map(str::to_owned).ok_or(NoObject(name))
        };
        Ok(Self {
            api_version: word("/apiVersion", "apiVersion")?,
            kind: word("/kind", "kind")?,
            namespace: word("/metadata/namespace", "metadata.namespace").ok(),
            name: word("/metadata/name", "metadata.name")?,
        })
    }

    /// Its API group; empty for the core one.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// As kubectl names it: `deployment.apps/godel-api`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_lowercase();
        match self.group() {
            "" => write!(f, "{kind}/{}", self.name),
            group => write!(f, "{kind}.{group}/{}", self.name),
        }
    }
}

/// Kinds in the order in which they are put in: what others need first, what watches others last. What is not here
/// comes between workloads and what watches them.
const ORDER: [&[&str]; 4] = [
    &["Namespace", "CustomResourceDefinition", "ResourceQuota", "LimitRange", "NetworkPolicy"],
    &["ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding"],
    &["Service"],
    &["DaemonSet", "Deployment", "StatefulSet", "Job", "CronJob", "Pod"],
];
const LAST: &[&str] = &["PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"];

/// Objects in the order in which they are put in; those of one rank stay as they were.
#[must_use]
pub fn in_order(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| rank(object["kind"].as_str().unwrap_or_default()));
    objects
}

/// When an object of this kind is put in, the lowest first.
#[must_use]
pub fn rank(kind: &str) -> usize {
    let rank = ORDER.iter().position(|kinds| kinds.contains(&kind));
    rank.unwrap_or(ORDER.len() + usize::from(LAST.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_named_as_kubectl_names_it() {
        let named = |version: &str| {
            let object = json!({ "apiVersion": version, "kind": "Deployment", "metadata": { "name": "a" } });
            Reference::of(&object).unwrap().to_string()
        };
        assert_eq!((named("apps/v1").as_str(), named("v1").as_str()), ("deployment.apps/a", "deployment/a"));
    }

    #[test]
    fn what_does_not_say_what_it_is_is_none() {
        assert_eq!(Reference::of(&json!([])), Err(NoObject("apiVersion")));
        let nameless = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "" } });
        assert_eq!(Reference::of(&nameless), Err(NoObject("metadata.name")));
    }

    #[test]
    fn what_others_need_comes_first() {
        let kinds = ["Ingress", "Widget", "Deployment", "ConfigMap", "Service", "Secret"];
        let objects = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
        let sorted: Vec<Value> = in_order(objects).into_iter().map(|object| object["kind"].clone()).collect();
        assert_eq!(sorted, ["ConfigMap", "Secret", "Service", "Deployment", "Widget", "Ingress"]);
    }
}
