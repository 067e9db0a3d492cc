//! What a gate must be allowed to do in a cluster.

use serde::{Deserialize, Serialize};
use serde_json::json;

/// A rule of a Role, and the namespace that the Role is in; of a ClusterRole, where the namespace is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The namespace; empty for what belongs to none.
    pub namespace: String,
    /// The API groups; the core one is empty.
    pub api_groups: Vec<String>,
    /// The kinds of object, in the plural.
    pub resources: Vec<String>,
    /// The objects by name; all, where it is empty.
    pub resource_names: Vec<String>,
    /// What is done with them.
    pub verbs: Vec<String>,
}

impl Rule {
    /// To do this with all objects of these kinds, which are of one API group.
    #[must_use]
    pub fn new(namespace: &str, group: &str, resources: &[&str], verbs: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            namespace: namespace.to_owned(),
            api_groups: vec![group.to_owned()],
            resources: owned(resources),
            resource_names: Vec::new(),
            verbs: owned(verbs),
        }
    }

    /// The same, for these objects alone.
    #[must_use]
    pub fn named(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.resource_names = names.into_iter().collect();
        self
    }

    /// To read these Secrets.
    #[must_use]
    pub fn get_secrets(namespace: &str, names: impl IntoIterator<Item = String>) -> Self {
        Self::new(namespace, "", &["secrets"], &["get"]).named(names)
    }

    /// A Role (or ClusterRole) with this rule alone, in one line, ready for `kubectl apply -f -`.
    #[must_use]
    pub fn role(&self) -> String {
        let Self { namespace, api_groups, resources, resource_names, verbs } = self;
        let mut rule = json!({ "apiGroups": api_groups, "resources": resources });
        if !resource_names.is_empty() {
            rule["resourceNames"] = json!(resource_names);
        }
        rule["verbs"] = json!(verbs);
        let (kind, metadata) = match namespace.as_str() {
            "" => ("ClusterRole", json!({ "name": "prodtest" })),
            namespace => ("Role", json!({ "name": "prodtest", "namespace": namespace })),
        };
        let version = "rbac.authorization.k8s.io/v1";
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "rules": [rule] }).to_string()
    }
}
